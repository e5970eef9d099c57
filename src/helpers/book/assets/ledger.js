// The ledger's filter: text, part and verdict; a row stays when it satisfies all of them.
(() => {
  const table = document.querySelector("table.ledger");
  if (!table) return;
  const inputs = [...document.querySelectorAll(".ledger-filter [name]")];
  const count = document.querySelector(".ledger-count");
  const rows = [...table.tBodies[0].rows];
  function filter() {
    const want = Object.fromEntries(inputs.map((i) => [i.name, i.value.toLowerCase()]));
    let shown = 0;
    for (const row of rows) {
      const keep =
        row.textContent.toLowerCase().includes(want.text) &&
        ["part", "verdict"].every((name) => !want[name] || row.dataset[name] === want[name]);
      row.hidden = !keep;
      shown += keep;
    }
    count.textContent = `${shown} of ${rows.length} claims`;
  }
  for (const event of ["input", "change"]) inputs.forEach((i) => i.addEventListener(event, filter));
  filter();
})();
