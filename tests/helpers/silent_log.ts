/** For tests that are about something else than the log. */
import type { Logger } from "../../src/lib/log.ts";

/** A logger that says nothing. */
export const silentLog: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
