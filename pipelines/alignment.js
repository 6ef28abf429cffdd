"use strict";
// An alignment and its player. A row x of pieces: a text of equal words, or a pair of what was said and what was recognized;
// t [start, end, ...] of the recognized words in seconds; q [start, end, number of the first word] of segments.
const rate = value => value === null ? "–" : (100 * value).toFixed(1) + "\u202f%";
const count = value => value.toLocaleString("en");
const clock = seconds => {
  const whole = Math.floor(seconds), hours = Math.floor(whole / 3600), two = value => String(value).padStart(2, "0");
  return (hours ? hours + ":" + two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)) + ":" + two(whole % 60);
};
const nameOf = file => `${file.n}\u0000${file.c ?? ""}\u0000${String(Math.round(100 * (file.o ?? 0))).padStart(12, "0")}`;
const searchable = file => file.text ??=
  [file.n, file.g, ...[file.x, file.y ?? []].flat().map(part => typeof part === "string" ? part : part.join(" "))].join(" ").toLowerCase();
const make = (tag, properties = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value; else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
/** Return the player of a file, where its audio is known. */
const playerOf = file => file.a && make("audio", { controls: true, preload: "none", src: file.a });
/** Return what was said above what was recognized; words and segments with times follow the player and move it. */
function alignment(file, player) {
  const box = make("div", { className: "words", role: "group", "aria-label": "Alignment" }), marks = [];
  const times = file.t, segments = file.q ?? [];
  let heard = 0, next = 0, part;
  const begin = segment => {
    part = make("p", { className: "part", dir: "auto" });
    box.append(part);
    if (!segment) return;
    const text = clock(segment[0]);
    part.append(player ? make("button", { type: "button", className: "time", "aria-label": "Play from " + text, onclick: () => seek(player, segment[0]) }, text) : make("time", {}, text));
    if (!times) marks.push({ start: segment[0], end: segment[1], node: part });
  };
  const timed = node => {
    while (next < segments.length && segments[next][2] <= heard) begin(segments[next++]);
    if (times && times[2 * heard] !== null) {
      marks.push({ start: times[2 * heard], end: times[2 * heard + 1], node });
      if (player) {
        node.dataset.time = times[2 * heard];
        node.tabIndex = -1;
      }
    }
    heard += 1;
    return node;
  };
  const put = node => {
    if (!part) begin();
    part.append(node, " ");
  };
  for (const piece of file.x) {
    if (typeof piece === "string") {
      for (const word of piece.split(" ")) put(timed(make("span", {}, word)));
      continue;
    }
    const [said, recognized] = piece;
    const kind = !said ? "ins" : !recognized ? "del" : "sub";
    const name = { ins: "inserted", del: "deleted", sub: "substituted" }[kind];
    const side = (tag, text) => make(tag, text ? {} : { className: "none", "aria-label": "nothing" }, text || "–");
    const pair = make("span", { className: "pair " + kind, title: name, role: "group", "aria-label": name }, side("del", said), side("ins", recognized));
    put(recognized ? timed(pair) : pair);
  }
  if (!file.x.length) box.append(make("p", { className: "soft" }, "Nothing was said and nothing was recognized."));
  if (player) follow(player, box, marks);
  return box;
}

function seek(player, seconds) {
  player.currentTime = seconds;
  player.play().catch(() => {});  // a browser may refuse to play; the place is kept
}

/** Mark the word or segment that is being played; a click, or Enter on a word, plays from there. */
function follow(player, box, marks) {
  let now = null;
  const update = () => {
    let low = 0, high = marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (marks[middle].start <= player.currentTime + 0.02) low = middle + 1; else high = middle;
    }
    const mark = marks[low - 1], node = mark && player.currentTime < mark.end + 0.25 ? mark.node : null;
    if (node === now) return;
    now?.classList.remove("now");
    node?.classList.add("now");
    now = node;
  };
  const tick = () => {
    update();
    if (!player.paused && player.isConnected) requestAnimationFrame(tick);
  };
  player.addEventListener("play", tick);
  player.addEventListener("timeupdate", update);
  player.addEventListener("seeked", update);
  const words = [...box.querySelectorAll("[data-time]")];
  if (words.length) words[0].tabIndex = 0;
  box.addEventListener("click", event => {
    const word = event.target.closest("[data-time]");
    if (word) seek(player, Number(word.dataset.time));
  });
  box.addEventListener("keydown", event => {
    const word = event.target.closest("[data-time]");
    if (!word) return;
    const forward = getComputedStyle(word.parentElement).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const step = { [forward]: 1, [forward === "ArrowLeft" ? "ArrowRight" : "ArrowLeft"]: -1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Enter" || event.key === " ") seek(player, Number(word.dataset.time));
    else if (step === undefined) return;
    else {
      const other = words[Math.max(0, Math.min(words.length - 1, words.indexOf(word) + step))];
      word.tabIndex = -1;
      other.tabIndex = 0;
      other.focus();
    }
    event.preventDefault();
  });
}
