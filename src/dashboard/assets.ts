/**
 * The files that the pages load: style, script, icon. Owns their addresses, which change with their
 * contents, so that browsers can keep them and still never use old ones.
 *
 * They stand beside this module, also inside the executable.
 */
import { createHash } from "node:crypto";
import { assetAnswer } from "./answer.ts";

const TYPES = {
  "app.css": "text/css; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "icon.svg": "image/svg+xml",
} as const;

export type AssetName = keyof typeof TYPES;

interface Asset {
  readonly text: string;
  readonly url: string;
}

const assets = new Map<AssetName, Asset>();

function load(name: AssetName): Asset {
  let asset = assets.get(name);
  if (asset === undefined) {
    const text = Deno.readTextFileSync(new URL(`./assets/${name}`, import.meta.url));
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 12);
    assets.set(name, asset = { text, url: `/ui/assets/${hash}/${name}` });
  }
  return asset;
}

/** Where the file is to be loaded from. */
export function assetUrl(name: AssetName): string {
  return load(name).url;
}

/** The file at this path, whatever its hash; null when there is none. */
export function answerAsset(path: string): Response | null {
  const name = /^\/ui\/assets\/[0-9a-f]{12}\/([a-z.]+)$/.exec(path)?.[1];
  if (name === undefined || !Object.hasOwn(TYPES, name)) return null;
  return assetAnswer(load(name as AssetName).text, TYPES[name as AssetName]);
}
