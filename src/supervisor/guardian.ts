/**
 * Kills what commands have started when this process dies without a chance to do so (`kill -9`). A
 * small shell waits at the end of a pipe; when the pipe breaks, nobody is left to end the commands,
 * and the shell does it: the groups it was told of, and every process that carries the mark.
 *
 * Invariant: it is running before the first command starts.
 */
import { MARK_VARIABLE } from "../lib/kill.ts";

/** $1: the marked variable with the holder. Lines: `+PGID` began, `-PGID` ended, `bye`. */
const SCRIPT = `
groups=" "
while read -r line; do
  case "$line" in
    +*) groups="$groups\${line#+} " ;;
    -*) one=\${line#-}; groups="\${groups%% $one *} \${groups#* $one }" ;;
    bye) exit 0 ;;
  esac
done
for group in $groups; do kill -9 -- "-$group" 2>/dev/null; done
# Again until a look finds nobody, but not for ever; a second look in any case.
for look in 1 2 3 4 5 6 7 8 9 10; do
  found=
  for environ in $(grep -lF "$1:" /proc/[0-9]*/environ 2>/dev/null); do
    pid=\${environ#/proc/}
    kill -9 "\${pid%/environ}" 2>/dev/null && found=yes
  done
  [ "$look" = 1 ] || [ "$found" ] || break
done
`;

export class Guardian {
  readonly #holder: string;
  readonly #groups = new Set<number>();
  #child: Deno.ChildProcess | null = null;
  #stdin: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #isClosed = false;

  constructor(holder: string) {
    this.#holder = holder;
  }

  /** Starts it unless it runs. */
  ensure(): void {
    if (this.#child !== null || this.#isClosed) return;
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", SCRIPT, "guardian", `${MARK_VARIABLE}=${this.#holder}`],
      cwd: "/",
      clearEnv: true,
      env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    for (const pgid of this.#groups) this.#tell(`+${pgid}`);
    // Somebody has killed the guardian: a new one takes over.
    child.status.then(() => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#stdin = null;
      if (this.#groups.size > 0) this.ensure();
    });
  }

  groupBegan(pgid: number): void {
    this.#groups.add(pgid);
    this.#tell(`+${pgid}`);
  }

  groupEnded(pgid: number): void {
    if (this.#groups.delete(pgid)) this.#tell(`-${pgid}`);
  }

  /** Lets it kill whatever is left, as if this process had died; it ends by itself afterwards. */
  sweep(): void {
    this.#isClosed = true;
    this.#stdin?.close().catch(() => {});
  }

  /** Ends it without killing anything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    this.#tell("bye");
    await this.#stdin?.close().catch(() => {});
    await child.status;
  }

  #tell(line: string): void {
    this.#stdin?.write(new TextEncoder().encode(`${line}\n`)).catch(() => {});
  }
}
