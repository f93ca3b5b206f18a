"use strict";
(() => {
  const table = document.querySelector("table.sortable");
  const body = table && table.querySelector("tbody.cells");
  if (!body) return;
  const keptBack = document.getElementById("kept-back");
  const original = [...body.rows, ...(keptBack ? keptBack.content.children : [])];
  const heads = [...table.querySelectorAll("thead th")];
  const told = document.getElementById("sorted");
  const more = document.getElementById("show-more");
  const box = document.getElementById("filter");
  const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  let limit = Math.max(body.rows.length, 1);
  let ordered = original;

  const show = () => {
    const words = box ? box.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
    const found = words.length
      ? ordered.filter((row) => words.every((word) => row.textContent.toLowerCase().includes(word)))
      : ordered;
    body.replaceChildren(...found.slice(0, limit));
    if (box) {
      const count = `${found.length} of ${original.length} rows`;
      document.getElementById("found").textContent = words.length ? count : "";
    }
    if (more) {
      more.closest("p").hidden = found.length <= limit;
      more.textContent = `Show more: ${limit} of ${found.length} rows are shown`;
    }
  };

  const key = (row, place, isText) => {
    const cell = row.cells[place];
    if (isText) return cell.dataset.v ?? cell.textContent.trim();
    return cell.dataset.v === undefined ? NaN : Number(cell.dataset.v);
  };

  // What is missing stays last, whichever way.
  const compare = (a, b, sign, isText) => {
    if (isText) return sign * names.compare(a, b);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };

  const sort = (place) => {
    const head = heads[place];
    const button = head.querySelector("button");
    const isText = button.dataset.first === "text";
    const best = button.dataset.first === "max" ? "descending" : "ascending";
    const other = best === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort");
    const next = now === "none" ? best : now === best ? other : "none";
    heads.forEach((one) => one.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    const rows = original.map((row, i) => ({ row, i, key: key(row, place, isText) }));
    if (next !== "none") {
      rows.sort((a, b) => compare(a.key, b.key, sign, isText) || a.i - b.i);
    }
    ordered = rows.map(({ row }) => row);
    show();
    told.textContent =
      next === "none" ? "In the order of the file." : `Sorted by ${button.textContent}, ${next}.`;
  };

  if (original.length > 1) {
    heads.forEach((head, place) => {
      head.querySelector("button").addEventListener("click", () => sort(place));
    });
    table.classList.add("live");
  }
  if (more) {
    more.addEventListener("click", () => {
      limit *= 4;
      show();
    });
  }
  if (box) {
    box.closest("p").hidden = false;
    box.addEventListener("input", show);
  }
  if (more || box) show();
})();
(() => {
  const pictures = [...document.querySelectorAll(".card img")];
  if (!pictures.length || !window.HTMLDialogElement) return;
  const sheet = document.createElement("dialog");
  const whole = document.createElement("img");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  sheet.append(close, whole);
  document.body.append(sheet);
  close.addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", (event) => {
    if (event.target === sheet) sheet.close();
  });
  for (const picture of pictures) {
    const opener = document.createElement("button");
    opener.type = "button";
    opener.className = "opener";
    opener.setAttribute("aria-label", `${picture.alt}: open at full size`);
    picture.replaceWith(opener);
    opener.append(picture);
    opener.addEventListener("click", () => {
      whole.src = picture.src;
      whole.alt = picture.alt;
      whole.width = picture.naturalWidth;
      whole.height = picture.naturalHeight;
      sheet.setAttribute("aria-label", picture.alt);
      sheet.showModal();
    });
  }
})();
