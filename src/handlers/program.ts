/**
 * The programs that run kinds of a user: what each is started as, and which kinds it runs. Plain
 * data that travels to worker threads; starts nothing.
 */
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { BUILT_IN_KINDS } from "../job/job.ts";
import { ID_PATTERN } from "../job/parse.ts";
import { HOST_COMMAND, isExecutable, selfCommand } from "../lib/self.ts";
import { splitWords } from "../lib/words.ts";
import { commandPath } from "./command_environment.ts";
import { isFindable } from "./process_group.ts";
import { shown } from "./wire.ts";

/** Something that speaks the protocol once it is started. */
export interface Program {
  /** As the user wrote it. */
  readonly name: string;
  readonly words: readonly string[];
  /** Where it runs. */
  readonly cwd: string;
  /** Files whose change means that it is to be started anew. */
  readonly files: readonly string[];
  /** Rises when they have changed: the same words then start another program. */
  readonly generation: number;
  /** Its files are looked at, so that one that does not load is soon followed by one that does. */
  readonly isWatched?: boolean;
}

/** The kinds of a user and what runs them; must survive `postMessage`. */
export interface UserHandlers {
  readonly programs: readonly Program[];
  /** By kind: the place in `programs`. */
  readonly kinds: Readonly<Record<string, number>>;
}

export const NO_HANDLERS: UserHandlers = { programs: [], kinds: {} };

/** Handlers that cannot be used; the message says which and why. */
export class HandlerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "HandlerError";
  }
}

/**
 * Keeps the protocol out of reach of a module and of what it starts: their input is empty and what
 * they print goes to stderr, while the host speaks over descriptors of its own (3 out, 4 in).
 */
const APART = 'exec 3>&1 4<&0 >&2 </dev/null; exec "$@"';

/**
 * The host of a module.
 *
 * @throws {HandlerError} when there is no such file.
 */
export function moduleProgram(path: string, cwd: string): Program {
  const file = resolve(cwd, path);
  if (!isFile(file)) throw new HandlerError(`--handlers: there is no file ${shown(path)}`);
  const words = ["/bin/sh", "-c", APART, "queuectl", ...hostWords(file), HOST_COMMAND, file];
  return { name: path, words, cwd, files: [file], generation: 1 };
}

/**
 * From source, modules see the configuration that stands beside them: its import map, and packages.
 */
function hostWords(file: string): string[] {
  const { command, args } = selfCommand();
  if (isExecutable()) return [command, ...args];
  const config = nearestConfig(dirname(file));
  const found = config === null ? ["--no-config"] : ["--config", config];
  return [command, "run", "--allow-all", "--quiet", "--no-lock", ...found, args.at(-1)!];
}

function nearestConfig(directory: string): string | null {
  for (const name of ["deno.json", "deno.jsonc"]) {
    const path = join(directory, name);
    if (existsSync(path)) return path;
  }
  const parent = dirname(directory);
  return parent === directory ? null : nearestConfig(parent);
}

/**
 * What a `kind=command` says; several kinds are separated by commas.
 *
 * @throws {HandlerError} saying what is wrong.
 */
export function commandProgram(text: string, cwd: string): { kinds: string[]; program: Program } {
  const where = `--handler ${shown(text)}`;
  const equals = text.indexOf("=");
  if (equals === -1) throw new HandlerError(`${where}: expected kind=command`);
  const kinds = text.slice(0, equals).split(",").map((kind) => kind.trim());
  for (const kind of kinds) checkKind(kind, where);
  const line = text.slice(equals + 1).trim();
  const words = splitWords(line);
  if (words === null) throw new HandlerError(`${where}: a quote is not closed`);
  if (words.length === 0) throw new HandlerError(`${where}: expected a command after the =`);
  if (!isFindable(words[0]!, commandPath(), cwd)) {
    throw new HandlerError(`${where}: there is no program ${shown(words[0]!)}`);
  }
  const files = words.map((word) => resolve(cwd, word)).filter(isFile);
  return { kinds, program: { name: line, words, cwd, files, generation: 1 } };
}

/**
 * Puts programs together.
 *
 * @throws {HandlerError} when two of them claim a kind.
 */
export function userHandlers(
  found: readonly { readonly kinds: readonly string[]; readonly program: Program }[],
): UserHandlers {
  const programs = found.map(({ program }) => program);
  const kinds: Record<string, number> = Object.create(null);
  for (const [index, { kinds: own, program }] of found.entries()) {
    for (const kind of own) {
      const other = kinds[kind];
      if (other !== undefined) {
        const names = `${shown(programs[other]!.name)} and ${shown(program.name)}`;
        throw new HandlerError(`the kind ${shown(kind)} has two handlers: ${names}`);
      }
      kinds[kind] = index;
    }
  }
  return { programs, kinds: { ...kinds } };
}

/** @throws {HandlerError} when a handler cannot have this name. */
export function checkKind(kind: string, where: string): void {
  if (!ID_PATTERN.test(kind)) {
    throw new HandlerError(
      `${where}: expected a kind of 1 to 64 characters of A-Z a-z 0-9 . _ : -, got ${shown(kind)}`,
    );
  }
  if (BUILT_IN_KINDS.includes(kind)) {
    throw new HandlerError(`${where}: the kind ${shown(kind)} is built in; choose another name`);
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
