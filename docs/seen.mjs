// Looks at each page of a built site in a browser, at the width of a phone in light and of a desk in
// dark: axe-core must find nothing serious, and no page may scroll sideways. `make docs-seen`, or
//     node docs/seen.mjs build/docs [FOLDER FOR SCREENSHOTS [BEGINNING OF A PAGE'S PATH]]
// With --whole, of smaller sites (`make site-seen`), at both widths in light and in dark, and the
// Tab key must reach everything that can be reached. CHROME names the browser; else it is looked for
// where Linux has it.
import axe from "axe-core";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, resolve } from "node:path";
import puppeteer from "puppeteer-core";

const whole = process.argv.includes("--whole");
const [site, pictures, only = ""] = process.argv.slice(2).filter((word) => word !== "--whole");
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png" };
const BROWSERS = ["/usr/bin/google-chrome", "/usr/bin/chromium", "/usr/bin/chromium-browser"];
const WIDTHS = { phone: { width: 390, height: 844 }, desk: { width: 1440, height: 900 } };
const WAYS = [["phone", "light"], ["desk", "dark"], ...(whole ? [["phone", "dark"], ["desk", "light"]] : [])];
const MOST_TABS = 400;
const OURS = /(^|\/)(_modules|_static|_sources|_downloads|_images|node_modules)(\/|$)/;

function pagesBelow(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => path.endsWith(".html") && !OURS.test(path))
    .map((path) => "/" + path.replaceAll("\\", "/").replace(/(^|\/)index\.html$/, "$1"))
    .filter((path) => path.startsWith("/" + only))
    .sort();
}

function serve(folder) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const file = join(folder, path.endsWith("/") ? path + "index.html" : path);
    try {
      const content = await readFile(file);
      response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
      response.end(content);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

// What the Tab key should come to, in the page's order, and does not.
async function unreached(tab) {
  const wanted = await tab.evaluate((most) => {
    const could = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const seen = [...document.querySelectorAll(could)].filter(
      (one) => !one.disabled && one.checkVisibility({ visibilityProperty: true }),
    );
    seen.forEach((one, number) => (one.dataset.seen = String(number)));
    document.activeElement?.blur();
    window.scrollTo(0, 0);
    return Math.min(seen.length, most);
  }, MOST_TABS);
  const reached = new Set();
  for (let pressed = 0; pressed < wanted; pressed += 1) {
    await tab.keyboard.press("Tab");
    reached.add(await tab.evaluate(() => document.activeElement?.dataset.seen));
  }
  const left = [...Array(wanted).keys()].filter((number) => !reached.has(String(number)));
  return left.length ? [`the Tab key reaches ${wanted - left.length} of ${wanted}`] : [];
}

async function look(tab, address, page, width, scheme) {
  await tab.setViewport(WIDTHS[width]);
  await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await tab.goto(address + page, { waitUntil: "load" });
  if (pictures) {
    const name = (page.replaceAll("/", "_").replace(/^_|_$/g, "") || "index") + `-${width}-${scheme}.png`;
    await tab.screenshot({ path: join(pictures, name) });
  }
  await tab.evaluate(axe.source);
  const found = await tab.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const sideways = await tab.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.length} × ${nodes[0].html.slice(0, 160)}`);
  const keys = whole && scheme === "light" ? await unreached(tab) : [];
  return [...told, ...keys, ...(sideways ? ["scrolls sideways"] : [])];
}

const server = await serve(resolve(site));
const browser = await puppeteer.launch({
  executablePath: process.env.CHROME ?? BROWSERS.find(existsSync),
  args: ["--no-sandbox"],
  protocolTimeout: 600_000,
});
if (pictures) mkdirSync(pictures, { recursive: true });
const tab = await browser.newPage();
tab.setDefaultTimeout(300_000);
const address = `http://127.0.0.1:${server.address().port}`;
const pages = pagesBelow(site);
let count = 0;
for (const page of pages) {
  for (const [width, scheme] of WAYS) {
    for (const what of await look(tab, address, page, width, scheme)) {
      console.log(`${page} (${width}, ${scheme}): ${what}`);
      count += 1;
    }
  }
}
await browser.close();
server.close();
console.log(`${pages.length} pages, ${count} findings`);
process.exit(count || !pages.length ? 1 : 0);
