// A file: n name, c channel, g system where there are several, o seconds at which a segment begins, r words of the reference,
// e [errors before, errors now], a link to the audio; x and y the alignments before and now (see alignment.js).
const files = JSON.parse(document.getElementById("data").textContent);
files.forEach(file => { file.change = file.e[1] - file.e[0]; });
const signed = value => (value > 0 ? "+" : value < 0 ? "−" : "") + count(Math.abs(value));
const wer = (file, side) => file.r ? file.e[side] / file.r : null;
const kinds = {
  all: ["All", () => true],
  worse: ["Worse", file => file.change > 0],
  better: ["Better", file => file.change < 0],
};
const columns = [
  ["File", file => nameOf(file), null, ""],
  ["Change", file => file.change, file => signed(file.change), "n", "Errors now, less errors before"],
  ["Before", file => wer(file, 0), file => rate(wer(file, 0)), "n wide-only", "Word error rate of the baseline"],
  ["Now", file => wer(file, 1), file => rate(wer(file, 1)), "n", "Word error rate of the other system"],
  ["Words", file => file.r, file => count(file.r), "n wide-only", "Words of the reference"],
];
const tags = file => file.g ? [make("bdi", { className: "tag" }, file.g)] : [];
function details(file) {
  const alignments = [["Before", file.x], ["Now", file.y]].flatMap(([name, pieces], side) => [
    make("h3", {}, `${name}: ${count(file.e[side])} ${file.e[side] === 1 ? "error" : "errors"}`),
    alignment({ x: pieces }, null),
  ]);
  return file.a ? [playerOf(file), ...alignments] : alignments;
}
fileTable({ files, columns, kinds, tags, details, sorted: 1 });
