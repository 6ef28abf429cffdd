// A file: n name, c channel, s status, w [hits, substitutions, deletions, insertions], k character error rate,
// d seconds, p confidence, g speaker, o seconds at which a segment begins, a link to the audio, z words shown of a long
// one; x, t and q see alignment.js.
const files = JSON.parse(document.getElementById("data").textContent);
files.forEach(file => {
  const [hits, substitutions, deletions, insertions] = file.w;
  file.words = hits + substitutions + deletions;
  file.errors = substitutions + deletions + insertions;
  file.wer = file.words ? file.errors / file.words : null;
  file.heard = hits + substitutions + insertions;
});
const kinds = {
  all: ["All", () => true],
  errors: ["With errors", file => file.errors > 0],
  right: ["Without errors", file => file.errors === 0],
  missing: ["No transcript", file => file.s === "missing"],
  silent: ["Empty reference", file => file.words === 0],
  deaf: ["Nothing recognized", file => file.s !== "missing" && file.heard === 0 && file.words > 0],
};
const columns = [
  ["File", file => nameOf(file), null, ""],
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
const tags = file => [
  ...(file.s === "missing" ? [make("span", { className: "tag bad" }, "no transcript")] : []),
  ...(file.g ? [make("bdi", { className: "tag" }, file.g)] : []),
];
function details(file) {
  const [hits, substitutions, deletions, insertions] = file.w, nodes = [];
  const player = playerOf(file);
  const kinds = `${count(hits)} right, ${count(substitutions)} substituted, ${count(deletions)} deleted, ${count(insertions)} inserted`;
  nodes.push(make("p", { className: "soft" }, kinds + (file.z === undefined ? "" : file.z ? `; the first ${count(file.z)} words are shown` : "; the texts are in per_file.csv")));
  if (player) nodes.push(player);
  if (file.z !== 0) nodes.push(alignment(file, player));
  return nodes;
}
fileTable({ files, columns, kinds, tags, details, sorted: 2 });
