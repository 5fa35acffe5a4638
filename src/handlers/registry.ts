/** The kinds that this program can run. To add one, add a row. */
import type { PayloadParser } from "../job/parse.ts";
import { command } from "./command.ts";
import { count } from "./count.ts";
import type { Handler } from "./handler.ts";
import { http } from "./http.ts";

export const HANDLERS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["count", count],
  ["command", command],
  ["http", http],
]);

/** The check of a payload for a kind of a user: any JSON value, or the bytes of an upload. */
export const parseUserPayload: PayloadParser = (payload) =>
  payload instanceof Uint8Array ? { payload } : { payload: JSON.stringify(payload) };

/** The check of each kind's payload. */
export const PAYLOAD_PARSERS: ReadonlyMap<string, PayloadParser> = new Map(
  [...HANDLERS].map(([kind, handler]) => [kind, handler.parsePayload]),
);
