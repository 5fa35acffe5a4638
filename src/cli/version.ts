/** The program's version: it stands in `deno.json` alone. */
import config from "../../deno.json" with { type: "json" };

export const VERSION: string = config.version;
