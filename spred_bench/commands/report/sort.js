// A heading sorts the rows below it: by data-sort where a cell has one, by number where both are, else by text.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const key = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const compare = (a, b) => (a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b));
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent.trim();
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const direction = heading.ariaSort === "ascending" ? -1 : 1;
      for (const other of heading.parentNode.cells) other.ariaSort = null;
      heading.ariaSort = direction === 1 ? "ascending" : "descending";
      const rows = [...body.rows].sort((a, b) => direction * compare(key(a, column), key(b, column)));
      body.append(...rows);
    });
  });
}
