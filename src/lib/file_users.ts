/**
 * Which processes have a file open, as far as the system tells. Knows nothing of what is in it.
 *
 * Invariant: no password in a URL of their command lines is told.
 */
import { shownDatabase } from "./database_url.ts";

/** The longest command line that is told. */
const SHOWN_CHARACTERS = 80;

/**
 * Other processes of this machine that have the file open, for people: `process 4711 (queuectl serve)`.
 * None where that cannot be known: not Linux, another user's process, another container.
 */
export function usersOfFile(path: string): string[] {
  try {
    const file = Deno.realPathSync(path);
    return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
      .filter((pid) => pid > 0 && pid !== Deno.pid && hasOpen(pid, file))
      .map((pid) => `process ${pid}${shownCommand(pid)}`);
  } catch {
    return [];
  }
}

function hasOpen(pid: number, file: string): boolean {
  try {
    const directory = `/proc/${pid}/fd`;
    return [...Deno.readDirSync(directory)].some(({ name }) =>
      leadsTo(`${directory}/${name}`, file)
    );
  } catch {
    return false; // it has ended, or is another user's
  }
}

function leadsTo(link: string, file: string): boolean {
  try {
    return Deno.readLinkSync(link) === file;
  } catch {
    return false; // closed meanwhile
  }
}

function shownCommand(pid: number): string {
  try {
    const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0").filter(Boolean)
      .map((word) => word.replace(/[a-z]+:\/\/.*/is, shownUrl));
    const [program = "", ...others] = words;
    const text = [program.split("/").at(-1), ...others].join(" ").replace(/\s+/g, " ");
    return text === "" ? "" : ` (${text.slice(0, SHOWN_CHARACTERS)})`;
  } catch {
    return "";
  }
}

/** Of a database without its password, of all others the scheme alone. */
function shownUrl(url: string): string {
  const shown = shownDatabase(url);
  return shown === url && url.includes("@") ? url.replace(/:\/\/.*/s, "://…") : shown;
}
