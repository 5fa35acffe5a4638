/**
 * Asks a module which kinds it handles, by starting its host for a moment. Owns the words for what is
 * wrong with a module; keeps nothing running.
 */
import type { HandlerSettings } from "./handler.ts";
import { HandlerProcess } from "./handler_process.ts";
import { checkKind, HandlerError, moduleProgram, type Program } from "./program.ts";
import { hear, type Said } from "./wire.ts";

/** How long a module may take to load. */
const LOAD_MS = 30_000;

const LINE_BYTES = 1024 * 1024;

export interface AskOptions {
  readonly cwd: string;
  readonly settings: Pick<HandlerSettings, "passEnv">;
  /** Carried by the process. */
  readonly mark: string;
  readonly generation: number;
  readonly onGroup: (pgid: number, isAlive: boolean) => void;
  /** What the module prints while it loads. */
  readonly onStderr?: (bytes: Uint8Array) => void;
  readonly loadMs?: number;
}

/**
 * The module as a program, with the kinds that it handles.
 *
 * @throws {HandlerError} when there is no such file, or it does not load, or exports no function.
 */
export async function askModule(
  path: string,
  options: AskOptions,
): Promise<{ kinds: readonly string[]; program: Program }> {
  const program = moduleProgram(path, options.cwd);
  const where = `--handlers ${path}`;
  const said = await firstWords(program, where, options);
  if (said.type === "unusable") throw new HandlerError(`${where}: ${said.message}`);
  for (const kind of said.kinds) checkKind(kind, where);
  const { generation } = options;
  return { kinds: said.kinds, program: { ...program, files: said.files, generation } };
}

async function firstWords(
  program: Program,
  where: string,
  { settings, mark, onGroup, onStderr = () => {}, loadMs = LOAD_MS }: AskOptions,
): Promise<Extract<Said, { type: "ready" | "unusable" }>> {
  let hearFirst!: (said: Extract<Said, { type: "ready" | "unusable" }>) => void;
  const first = new Promise<Extract<Said, { type: "ready" | "unusable" }>>((resolve) =>
    hearFirst = resolve
  );
  const process = new HandlerProcess(program, {
    mark,
    passEnv: settings.passEnv,
    lineLimitBytes: LINE_BYTES,
    listener: {
      onStderr,
      onLine(line) {
        if (!("text" in line)) return;
        const heard = hear(line.text);
        if (!("said" in heard)) return;
        const { said } = heard;
        if (said.type === "ready" || said.type === "unusable") hearFirst(said);
        else if (said.type === "log") onStderr(new TextEncoder().encode(said.text));
      },
    },
  });
  onGroup(process.pgid, true);
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      first,
      process.ended.then(({ code, signal }) => {
        throw new HandlerError(
          `${where}: it ended with ${signal ?? `exit code ${code}`} while it was loaded`,
        );
      }),
      new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          reject(new HandlerError(`${where}: it was not loaded after ${loadMs / 1_000} s`));
        }, loadMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    process.kill();
    await process.ended;
    onGroup(process.pgid, false);
  }
}
