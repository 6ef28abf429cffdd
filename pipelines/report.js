"use strict";
// A file: n name, c channel, s status, w [hits, substitutions, deletions, insertions], k character error rate,
// d seconds, p confidence, g speaker, o seconds at which a segment begins, a link to the audio, x alignment (a text of equal words, or a pair of what was said
// and what was recognized), t [start, end, ...] of the recognized words, q [start, end, number of the first word].
const files = JSON.parse(document.getElementById("data").textContent);
const PAGE = 50;
const rate = value => value === null ? "–" : (100 * value).toFixed(1) + "\u202f%";
const count = value => value.toLocaleString("en");
const clock = seconds => {
  const whole = Math.floor(seconds), hours = Math.floor(whole / 3600), two = value => String(value).padStart(2, "0");
  return (hours ? hours + ":" + two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)) + ":" + two(whole % 60);
};
const make = (tag, properties = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value; else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
files.forEach((file, number) => {
  const [hits, substitutions, deletions, insertions] = file.w;
  file.number = number;
  file.words = hits + substitutions + deletions;
  file.errors = substitutions + deletions + insertions;
  file.wer = file.words ? file.errors / file.words : null;
  file.heard = hits + substitutions + insertions;
});
const searchable = file => file.text ??=
  [file.n, file.g, ...file.x.map(part => typeof part === "string" ? part : part.join(" "))].join(" ").toLowerCase();

const KINDS = {
  all: ["All", () => true],
  errors: ["With errors", file => file.errors > 0],
  right: ["Without errors", file => file.errors === 0],
  missing: ["No transcript", file => file.s === "missing"],
  silent: ["Empty reference", file => file.words === 0],
  deaf: ["Nothing recognized", file => file.s !== "missing" && file.heard === 0 && file.words > 0],
};
const COLUMNS = [
  ["File", file => `${file.n}\u0000${file.c ?? ""}\u0000${String(Math.round(100 * (file.o ?? 0))).padStart(12, "0")}`, null, ""],
  ["WER", file => file.wer, file => rate(file.wer), "n"],
  ["Errors", file => file.errors, file => count(file.errors), "n"],
  ["Sub", file => file.w[1], file => count(file.w[1]), "n short wide-only", "Substituted words"],
  ["Del", file => file.w[2], file => count(file.w[2]), "n short wide-only", "Deleted words"],
  ["Ins", file => file.w[3], file => count(file.w[3]), "n short wide-only", "Inserted words"],
  ["Words", file => file.words, file => count(file.words), "n wide-only", "Words of the reference"],
  ["CER", file => file.k, file => rate(file.k), "n wide-only extra", "Character error rate"],
  ["Length", file => file.d, file => file.d === null ? "–" : clock(file.d), "n wide-only extra"],
  ["Conf.", file => file.p, file => file.p === null ? "–" : file.p.toFixed(2), "n wide-only extra", "Confidence of the recognizer"],
];
const state = { column: 2, down: true, kind: "all", query: "", page: 0 };
const table = document.getElementById("files"), body = table.tBodies[0], status = document.getElementById("count");

function chosen() {
  const fits = KINDS[state.kind][1], wanted = state.query.trim().toLowerCase(), key = COLUMNS[state.column][1];
  const rows = files.filter(file => fits(file) && (!wanted || searchable(file).includes(wanted)));
  const order = state.column ? (a, b) => a - b : (a, b) => a < b ? -1 : a > b ? 1 : 0;
  return rows.sort((a, b) => {
    const left = key(a), right = key(b);
    if (left === null || right === null) return (left === null) - (right === null) || a.number - b.number;
    return (state.down ? -1 : 1) * order(left, right) || a.number - b.number;
  });
}

function show() {
  const rows = chosen(), pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const first = state.page * PAGE;
  body.replaceChildren(...rows.slice(first, first + PAGE).map(row));
  if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: visible(), className: "empty" }, "No file of this kind.")));
  status.textContent = rows.length > PAGE ? `${count(first + 1)} to ${count(Math.min(first + PAGE, rows.length))} of ${count(rows.length)}`
    : rows.length === 1 ? "1 file" : `${count(rows.length)} files`;
  document.getElementById("earlier").disabled = state.page === 0;
  document.getElementById("later").disabled = state.page >= pages - 1;
  document.getElementById("pager").hidden = files.length <= PAGE;
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    cell.setAttribute("aria-sort", column !== state.column ? "none" : state.down ? "descending" : "ascending");
  });
  document.querySelectorAll("[data-kind]").forEach(chip => chip.setAttribute("aria-pressed", chip.dataset.kind === state.kind));
}

function row(file) {
  const button = make("button", { type: "button", className: "open", "aria-expanded": "false" }, make("bdi", { className: "path" }, file.n));
  if (file.c !== null) button.append(" ", make("span", { className: "tag" }, "channel " + file.c));
  if (file.o !== undefined) button.append(" ", make("span", { className: "tag" }, "from " + clock(file.o)));
  if (file.s === "missing") button.append(" ", make("span", { className: "tag bad" }, "no transcript"));
  if (file.g) button.append(" ", make("bdi", { className: "tag" }, file.g));
  const node = make("tr", { id: "file-" + file.number }, make("td", {}, button));
  for (const [, , text, kind] of COLUMNS.slice(1)) node.append(make("td", { className: kind }, text(file)));
  button.addEventListener("click", () => toggle(node, button, file));
  return node;
}

function toggle(node, button, file) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", open);
  node.classList.toggle("opened", open);
  if (!open) return node.nextElementSibling.remove();
  node.after(make("tr", { className: "detail" }, make("td", { colSpan: visible() }, ...details(file))));
  history.replaceState(null, "", "#file-" + file.number);
}

/** Return how many columns there are on a screen of this width: a cell must not span more. */
function visible() {
  return [...table.tHead.rows[0].cells].filter(cell => cell.offsetParent !== null).length;
}

function details(file) {
  const [hits, substitutions, deletions, insertions] = file.w, nodes = [];
  const player = file.a && make("audio", { controls: true, preload: "none", src: file.a });
  const kinds = `${count(hits)} right, ${count(substitutions)} substituted, ${count(deletions)} deleted, ${count(insertions)} inserted`;
  nodes.push(make("p", { className: "soft" }, kinds + (file.z ? `; the first ${count(file.z)} words are shown` : "")));
  if (player) nodes.push(player);
  nodes.push(alignment(file, player));
  return nodes;
}

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

/** Open the file that the address names, on whichever page it is. */
function visit() {
  const found = /^#file-(\d+)$/.exec(location.hash), file = found && files[Number(found[1])];
  if (!file) return;
  Object.assign(state, { kind: "all", query: "" });
  document.getElementById("search").value = "";
  state.page = Math.floor(chosen().indexOf(file) / PAGE);
  show();
  const button = document.getElementById("file-" + file.number).querySelector(".open");
  button.click();
  button.focus();
  button.scrollIntoView({ block: "start" });
}

const heads = table.tHead.rows[0];
COLUMNS.forEach(([name, , , kind, title], column) => {
  const button = make("button", { type: "button", title: title ?? "" }, name);
  heads.append(make("th", { scope: "col", className: kind }, button));
  button.addEventListener("click", () => {
    state.down = state.column === column ? !state.down : column > 0;
    state.column = column;
    state.page = 0;
    show();
  });
});
const chips = document.getElementById("kinds");
for (const [kind, [name, fits]] of Object.entries(KINDS)) {
  const number = files.filter(fits).length;
  if (!number && kind !== "all" && kind !== "errors") continue;
  const chip = make("button", { type: "button", className: "chip", "data-kind": kind }, `${name} ${count(number)}`);
  chips.append(chip, " ");
  chip.addEventListener("click", () => {
    Object.assign(state, { kind, page: 0 });
    show();
  });
}
document.getElementById("search").addEventListener("input", event => {
  Object.assign(state, { query: event.target.value, page: 0 });
  show();
});
for (const [id, step] of [["earlier", -1], ["later", 1]]) {
  document.getElementById(id).addEventListener("click", () => {
    state.page += step;
    show();
    table.scrollIntoView({ block: "start" });
  });
}
addEventListener("hashchange", visit);
addEventListener("resize", () => body.querySelectorAll("[colspan]").forEach(cell => { cell.colSpan = visible(); }));
show();
visit();
