import { chromium } from "playwright-core";
import axe from "axe-core";
const base = Deno.args[0]!; const out = Deno.args[1]!; const paths = Deno.args.slice(2);
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });
const modes = { light: { colorScheme: "light", viewport: { width: 1200, height: 800 } }, dark: { colorScheme: "dark", viewport: { width: 1200, height: 800 } }, phone: { colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 } } as const;
for (const [mode, options] of Object.entries(modes)) {
  const context = await browser.newContext(options as any);
  const page = await context.newPage();
  page.on("console", (m) => m.type() === "error" && console.log("console", m.text()));
  page.on("pageerror", (e) => console.log("pageerror", e.message));
  for (const path of paths) {
    await page.goto(base + path); await page.waitForTimeout(300);
    const name = (path.replace(/[^a-z0-9]+/gi, "_").slice(0, 40) || "home");
    await page.screenshot({ path: `${out}/${mode}${name}.png`, fullPage: true });
    const w = await page.evaluate("document.documentElement.scrollWidth");
    if (w as number > options.viewport.width) console.log(mode, path, "too wide", w);
    await page.evaluate(axe.source);
    const r: any = await page.evaluate("axe.run({resultTypes:['violations']})");
    for (const v of r.violations) console.log(mode, path, v.id, v.help, v.nodes.slice(0,3).map((n: any) => n.html.slice(0,160) + " :: " + n.failureSummary.slice(0, 300)).join("\n   "));
  }
}
await browser.close();
