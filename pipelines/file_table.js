const ROWS_OF_A_PAGE = 50;

/**
 * Fill the table of files: sorted, searched, chosen by kind, a page of rows at a time, a file opened on a click.
 * columns: [head, key of a file, text of a file, class, title], the first is the file's name; sorted: the first to sort by;
 * kinds: {kind: [label, whether a file is of it]}; tags, details: the nodes beside a file's name, and of an opened file.
 */
function fileTable({ files, columns, kinds, tags, details, sorted }) {
  const state = { column: sorted, down: true, kind: "all", query: "", page: 0 };
  const table = document.getElementById("files"), body = table.tBodies[0], status = document.getElementById("count");

  function chosen() {
    const fits = kinds[state.kind][1], wanted = state.query.trim().toLowerCase(), key = columns[state.column][1];
    const rows = files.filter(file => fits(file) && (!wanted || searchable(file).includes(wanted)));
    const order = state.column ? (a, b) => a - b : (a, b) => a < b ? -1 : a > b ? 1 : 0;
    return rows.sort((a, b) => {
      const left = key(a), right = key(b);
      if (left === null || right === null) return (left === null) - (right === null) || a.number - b.number;
      return (state.down ? -1 : 1) * order(left, right) || a.number - b.number;
    });
  }

  function show() {
    const rows = chosen(), pages = Math.max(1, Math.ceil(rows.length / ROWS_OF_A_PAGE));
    state.page = Math.min(state.page, pages - 1);
    const first = state.page * ROWS_OF_A_PAGE;
    body.replaceChildren(...rows.slice(first, first + ROWS_OF_A_PAGE).map(row));
    if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: visible(), className: "empty" }, "No file of this kind.")));
    status.textContent = rows.length > ROWS_OF_A_PAGE ? `${count(first + 1)} to ${count(Math.min(first + ROWS_OF_A_PAGE, rows.length))} of ${count(rows.length)}`
      : rows.length === 1 ? "1 row" : `${count(rows.length)} rows`;
    document.getElementById("earlier").disabled = state.page === 0;
    document.getElementById("later").disabled = state.page >= pages - 1;
    document.getElementById("pager").hidden = files.length <= ROWS_OF_A_PAGE;
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      cell.setAttribute("aria-sort", column !== state.column ? "none" : state.down ? "descending" : "ascending");
    });
    document.querySelectorAll("[data-kind]").forEach(chip => chip.setAttribute("aria-pressed", chip.dataset.kind === state.kind));
  }

  function row(file) {
    const button = make("button", { type: "button", className: "open", "aria-expanded": "false" }, make("bdi", { className: "path" }, file.n));
    if (file.c !== null) button.append(" ", make("span", { className: "tag" }, "channel " + file.c));
    if (file.o !== undefined) button.append(" ", make("span", { className: "tag" }, "from " + clock(file.o)));
    for (const tag of tags(file)) button.append(" ", tag);
    const node = make("tr", { id: "file-" + file.number }, make("td", {}, button));
    for (const [, , text, kind] of columns.slice(1)) node.append(make("td", { className: kind }, text(file)));
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

  /** Open the file that the address names, on whichever page it is. */
  function visit() {
    const found = /^#file-(\d+)$/.exec(location.hash), file = found && files[Number(found[1])];
    if (!file) return;
    Object.assign(state, { kind: "all", query: "" });
    document.getElementById("search").value = "";
    state.page = Math.floor(chosen().indexOf(file) / ROWS_OF_A_PAGE);
    show();
    const button = document.getElementById("file-" + file.number).querySelector(".open");
    button.click();
    button.focus();
    button.scrollIntoView({ block: "start" });
  }

  const heads = table.tHead.rows[0];
  columns.forEach(([name, , , kind, title], column) => {
    const button = make("button", { type: "button", title: title ?? "" }, name);
    heads.append(make("th", { scope: "col", className: kind }, button));
    button.addEventListener("click", () => {
      state.down = state.column === column ? !state.down : column > 0;
      state.column = column;
      state.page = 0;
      show();
    });
  });
  files.forEach((file, number) => { file.number = number; });
  const chips = document.getElementById("kinds");
  for (const [kind, [name, fits]] of Object.entries(kinds)) {
    const number = files.filter(fits).length;
    if (!number && kind !== "all") continue;
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
}
