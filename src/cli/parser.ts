/**
 * From the command table to a command-line parser, and from a command line to an invocation. Owns
 * the help pages. Knows no command by name.
 */
import { Command, CommanderError, Option } from "commander";
import pc from "picocolors";
import {
  isSettingName,
  type SettingName,
  SETTINGS,
  type SettingTexts,
} from "../config/settings.ts";
import type { ValueType } from "../config/values.ts";
import { type CommandSpec, type Invocation, Options } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands.ts";
import { EXIT } from "./exit.ts";
import type { CliIo } from "./io.ts";
import { hasColor, Output, writeError, writeMessage } from "./output.ts";
import { didYouMean } from "./suggest.ts";

export const PROGRAM = "queuectl";

/** Where the help pages show the options that every command has. */
const COMMON = "Common options:";

/** What a command line asks for: a command to run, or an exit because all is said already. */
export type Parsed = { readonly invocation: Invocation } | { readonly exitCode: number };

/** Reads the command line; prints help and complaints. */
export async function parseCommandLine(
  words: readonly string[],
  io: CliIo,
  { version }: { version: string },
): Promise<Parsed> {
  let invocation: Invocation | undefined;
  const program = buildParser(io, {
    version,
    onCommand: (spec, command) => invocation = readInvocation(spec, command, { words, io }),
  });
  try {
    await program.parseAsync(helpAsked(words, program, io), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const isHelp = ["commander.helpDisplayed", "commander.version"].includes(error.code) ||
      (error.code === "commander.help" && error.exitCode === 0);
    return { exitCode: isHelp ? EXIT.done : EXIT.usage };
  }
  if (invocation === undefined) return { exitCode: EXIT.usage };
  return { invocation };
}

/** `help dlq list` is `dlq list --help`; the words must name a command. */
function helpAsked(words: readonly string[], program: Command, io: CliIo): string[] {
  if (words[0] !== "help") return [...words];
  const names = words.slice(1).filter((word) => word !== "help" && !word.startsWith("-"));
  let at = program;
  for (const name of names) {
    const found = at.commands.find((one) => one.name() === name);
    if (found === undefined && at.commands.length > 0) {
      const path = [...namesOf(at).slice(1), name].join(" ");
      const known = at.commands.map((one) => one.name());
      writeError(io, `unknown command '${path}'${didYouMean(name, known)}`);
      writeMessage(io, `Run '${[...namesOf(at), "--help"].join(" ")}' for usage.`);
      throw new CommanderError(EXIT.usage, "queuectl.unknownCommand", "");
    }
    if (found === undefined) break;
    at = found;
  }
  return [...namesOf(at).slice(1), "--help"];
}

/** One command of the table. */
class SpecCommand extends Command {
  readonly #takesDashes: boolean;

  constructor({ path, arguments: own = [] }: CommandSpec) {
    super(path.at(-1));
    this.#takesDashes = own.some(({ mayBeginWithDash }) => mayBeginWithDash ?? false);
  }

  /** Called by commander for the first word that looks like an option and is none. */
  unknownOption(word: string): void {
    if (this.#takesDashes && isDashed(word)) return;
    // @ts-expect-error commander's declarations leave it out
    super.unknownOption(word);
  }
}

/** Whether a word begins with one dash: an option, or a value such as -1s. */
function isDashed(word: string): boolean {
  return /^-[^-]/.test(word);
}

/** The parser for the whole table. */
function buildParser(
  io: CliIo,
  { version, onCommand }: {
    version: string;
    onCommand: (spec: CommandSpec, command: Command) => void;
  },
): Command {
  const program = new Command(PROGRAM)
    .description("A durable background-job queue in one executable.")
    .version(version, "-V, --version", "Print the version.")
    .enablePositionalOptions()
    .addHelpText("after", PROGRAM_EXAMPLES);
  setUp(program, io);
  addCommonOptions(program, { isDbShown: true });

  const commands = new Map<string, Command>([["", program]]);
  for (const spec of COMMANDS) {
    const parentPath = spec.path.slice(0, -1).join(" ");
    let parent = commands.get(parentPath);
    if (parent === undefined) {
      parent = program.command(parentPath).summary(GROUPS[parentPath]!)
        .description(`${GROUPS[parentPath]!}.`).enablePositionalOptions()
        .addHelpText("after", examplesText({ examples: firstExamples(parentPath) }));
      setUp(parent, io);
      addCommonOptions(parent, { isDbShown: true });
      commands.set(parentPath, parent);
    }
    const command = new SpecCommand(spec).enablePositionalOptions();
    parent.addCommand(command);
    setUp(command, io);
    describe(command, spec);
    command.action(() => {
      refuseStrayWords(spec, command, io);
      onCommand(spec, command);
    });
    commands.set(spec.path.join(" "), command);
  }
  return program;
}

/** The options of a command as flags and documentation, in the order of its help page. */
export function optionsOf(spec: CommandSpec): Option[] {
  const own = (spec.options ?? []).map(({ flags, doc, isMany }) => {
    const option = new Option(flags, doc);
    if (isMany) {
      option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    }
    return option.helpGroup("Options:");
  });
  const settings = spec.settings.filter((name) => name !== "db").map(settingOption);
  return [...own, ...settings, ...commonOptions({ isDbShown: spec.settings.includes("db") })];
}

function setUp(command: Command, io: CliIo): void {
  const outColors = pc.createColors(hasColor(io, io.stdout));
  const errColors = pc.createColors(hasColor(io, io.stderr));
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .addHelpOption(new Option("-h, --help", "Print this help.").helpGroup(COMMON))
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => writeMessage(io, text.trimEnd()),
      outputError: (text, write) => {
        write(text.replace(/^error:/, errColors.red("error:")));
        write(`Run '${[...namesOf(command), "--help"].join(" ")}' for usage.`);
      },
      getOutHelpWidth: () => io.stdout.isTerminal ? Math.min(io.stdout.columns, 100) : 80,
      getErrHelpWidth: () => io.stderr.isTerminal ? Math.min(io.stderr.columns, 100) : 80,
      getOutHasColors: () => hasColor(io, io.stdout),
      getErrHasColors: () => hasColor(io, io.stderr),
    })
    .configureHelp({ styleTitle: (title) => outColors.bold(title) });
  if (command.parent === null) {
    command.helpCommand("help [command...]", "Print the help of a command");
  } else command.helpCommand(false);
}

function describe(command: Command, spec: CommandSpec): void {
  command.summary(spec.summary).description(
    `${spec.summary}.${spec.description === undefined ? "" : `\n\n${spec.description}`}`,
  );
  for (const { name, doc, isOptional, isMany } of spec.arguments ?? []) {
    const dots = isMany ? "..." : "";
    command.argument(isOptional ? `[${name}${dots}]` : `<${name}${dots}>`, doc);
  }
  if (spec.arguments === undefined) command.allowExcessArguments();
  for (const option of optionsOf(spec)) command.addOption(option);
  command.addHelpText("after", examplesText(spec));
  const { outputError } = command.configureOutput();
  command.configureOutput({
    outputError: (text, write) =>
      outputError!([text.trimEnd(), ...hintsOn(text, spec), ""].join("\n"), write),
  });
}

/** How to write instead what commander complains of. */
function hintsOn(complaint: string, { usageHint, arguments: own }: CommandSpec): string[] {
  if (usageHint !== undefined) return [usageHint];
  const word = /unknown option '(.+)'/.exec(complaint)?.[1];
  return own !== undefined && word !== undefined && isDashed(word)
    ? [`To give it as a value, write options first, and then: -- ${word}`]
    : [];
}

function settingOption(name: SettingName): Option {
  const { isSwitch, flag } = flagOf(name);
  const value = isSwitch ? ` [on|off]` : ` <${valueWord(name)}>`;
  const option = new Option(`${flag}${value}`, settingDoc(name));
  if (isSwitch) option.preset("on");
  const { joiner } = SETTINGS[name].type as ValueType<unknown>;
  if (joiner !== undefined) {
    option.argParser((value: string, before: string | undefined) =>
      before === undefined ? value : `${before}${joiner}${value}`
    );
  }
  return option.helpGroup("Settings (also as environment variables QUEUECTL_*):");
}

/** Meaning, choices and default; the default number of workers depends on the machine. */
function settingDoc(name: SettingName): string {
  const { doc, type, default: fallback } = SETTINGS[name];
  const { expected } = type as ValueType<unknown>;
  const choices = expected.startsWith("one of ") ? ` One ${expected.slice("one ".length)}.` : "";
  const isKnown = fallback !== null && fallback !== "" && name !== "workers";
  return `${doc}${choices}${isKnown ? ` Default: ${fallback}.` : ""}`;
}

function flagOf(name: SettingName): { flag: string; isSwitch: boolean } {
  const isSwitch = (SETTINGS[name].type as ValueType<unknown>).isSwitch ?? false;
  return { flag: name === "workers" ? "-n, --workers" : `--${name}`, isSwitch };
}

function valueWord(name: SettingName): string {
  const { expected, word } = SETTINGS[name].type as ValueType<unknown>;
  if (word !== undefined) return word;
  if (name === "db" || name.endsWith("-file")) return "path";
  if (expected.startsWith("a duration")) return "duration";
  if (expected.startsWith("a size")) return "size";
  if (expected.startsWith("names")) return "names";
  if (expected.startsWith("one of")) return "word";
  return expected.includes("number") || expected.includes("probability") ? "n" : "value";
}

function commonOptions({ isDbShown }: { isDbShown: boolean }): Option[] {
  const db = new Option(
    "--db <path>",
    `The database file. Default: ${SETTINGS.db.default}.`,
  );
  if (!isDbShown) db.hideHelp();
  const json = new Option("--json", "Print JSON instead of text.");
  return [db, json].map((option) => option.helpGroup(COMMON));
}

function addCommonOptions(command: Command, { isDbShown }: { isDbShown: boolean }): void {
  for (const option of commonOptions({ isDbShown })) command.addOption(option);
}

/** One example of each command of a group. */
function firstExamples(group: string): CommandSpec["examples"] {
  const members = COMMANDS.filter(({ path }) => path.length > 1 && path[0] === group);
  return members.flatMap(({ examples }) => examples.slice(0, 1));
}

function examplesText({ examples }: Pick<CommandSpec, "examples">): string {
  const lines = examples.map(([line, doc]) => [
    line.includes(`${PROGRAM} `) ? line : `${PROGRAM} ${line}`,
    doc,
  ]);
  const shown = lines.map(([line, doc]) => `  # ${doc}\n  ${line}`);
  return `\nExamples:\n${shown.join("\n")}`;
}

const PROGRAM_EXAMPLES = `
Examples:
  # the API and workers
  ${PROGRAM} serve
  # a command, from another terminal
  ${PROGRAM} add "echo hello"
  # what became of it
  ${PROGRAM} list --state all

Exit codes: 0 done, 1 the operation or the job failed, 2 bad usage, 3 no such job,
4 timed out waiting, 5 the store cannot be used, 130 or 143 stopped by Ctrl-C or SIGTERM.`;

/** A command that takes no arguments got some: probably a mistyped subcommand. */
function refuseStrayWords(spec: CommandSpec, command: Command, io: CliIo): void {
  const [word] = command.args;
  if (spec.arguments !== undefined || word === undefined) return;
  const names = command.commands.map((one) => one.name());
  const what = names.length > 0 ? "unknown command" : "unexpected argument";
  writeError(io, `${what} '${word}'${didYouMean(word, names)}`);
  writeMessage(io, `Run '${[...namesOf(command), "--help"].join(" ")}' for usage.`);
  throw new CommanderError(EXIT.usage, "queuectl.strayWord", "");
}

function namesOf(command: Command): string[] {
  return command.parent === null ? [command.name()] : [...namesOf(command.parent), command.name()];
}

/** Options of the groups above count too: `queuectl --db x list`; the nearest wins. */
function readInvocation(
  spec: CommandSpec,
  command: Command,
  { words, io }: { words: readonly string[]; io: CliIo },
): Invocation {
  const values = new Map<string, unknown>();
  const flags: SettingTexts = {};
  const own = new Set((spec.options ?? []).map(({ flags }) => new Option(flags).long));
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const option of at.options) {
      const value = at.getOptionValue(option.attributeName());
      const name = option.long!.slice(2);
      if (value === undefined) continue;
      if (isSettingName(name) && !own.has(option.long!)) flags[name] ??= String(value);
      else if (!values.has(name)) values.set(name, value);
    }
  }
  const options = new Options(values);
  const out = new Output(io, { isJson: options.isOn("json") });
  return {
    spec,
    args: command.args,
    literal: wordsAfterDashes(command.args, words),
    options,
    flags,
    io,
    out,
  };
}

/** Those of the arguments that stood after the first `--` that is no option's value. */
function wordsAfterDashes(args: readonly string[], words: readonly string[]): readonly string[] {
  for (let at = words.indexOf("--"); at !== -1; at = words.indexOf("--", at + 1)) {
    const literal = words.slice(at + 1);
    const isAllOfThem = literal.length <= args.length &&
      literal.every((word, index) => word === args[args.length - literal.length + index]);
    if (isAllOfThem) return literal;
  }
  return [];
}
