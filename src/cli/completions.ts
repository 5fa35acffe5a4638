/**
 * Completion scripts for shells, made from the command table. Each script finds the command in the
 * words typed so far, and offers its subcommands, options, or the words that an option or argument
 * can be.
 */
import { type CommandSpec } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands.ts";
import { isSettingName, SETTINGS } from "../config/settings.ts";
import type { ValueType } from "../config/values.ts";
import { optionsOf, PROGRAM } from "./parser.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that makes the shell complete this program's command lines. */
export function completionScript(shell: Shell): string {
  const entries = collectEntries();
  if (shell === "bash") return bashScript(entries);
  return shell === "zsh" ? zshScript(entries) : fishScript(entries);
}

/** What can follow a command. */
interface Entry {
  /** Its words, joined by spaces; empty for the program itself. */
  readonly path: string;
  /** Subcommands and choices of arguments. */
  readonly words: readonly Word[];
  readonly options: readonly OptionEntry[];
}

interface Word {
  readonly name: string;
  readonly doc: string;
}

interface OptionEntry {
  readonly long: string;
  readonly short: string | null;
  readonly doc: string;
  /** What its value can be; null: it takes none or anything. */
  readonly choices: readonly string[] | null;
  readonly takesValue: boolean;
  readonly isFile: boolean;
}

function collectEntries(): Entry[] {
  const paths = new Set([
    "",
    ...Object.keys(GROUPS),
    ...COMMANDS.map(({ path }) => path.join(" ")),
  ]);
  return [...paths].map((path) => {
    const spec = COMMANDS.find((command) => command.path.join(" ") === path);
    return {
      path,
      words: wordsAfter(path, spec),
      options: spec === undefined ? HELP : entries(spec),
    };
  });
}

const HELP: readonly OptionEntry[] = [{
  long: "--help",
  short: "-h",
  doc: "Print this help.",
  choices: null,
  takesValue: false,
  isFile: false,
}];

function wordsAfter(path: string, spec: CommandSpec | undefined): Word[] {
  const depth = path === "" ? 0 : path.split(" ").length;
  const below = COMMANDS.filter((command) =>
    command.path.length === depth + 1 && command.path.slice(0, depth).join(" ") === path
  ).map(({ path, summary }) => ({ name: path.at(-1)!, doc: summary }));
  const groups = path === "" ? Object.entries(GROUPS).map(([name, doc]) => ({ name, doc })) : [];
  const choices = (spec?.arguments ?? []).flatMap((argument) =>
    (argument.choices ?? []).map((name) => ({ name, doc: argument.name }))
  );
  return [...below, ...groups, ...choices];
}

function entries(spec: CommandSpec): OptionEntry[] {
  const options = optionsOf(spec).filter(({ hidden }) => !hidden).map((option): OptionEntry => {
    const long = option.long!;
    const own = spec.options?.find(({ flags }) => flags.includes(long));
    return {
      long,
      short: option.short ?? null,
      doc: option.description,
      choices: own?.choices ?? settingChoices(long),
      takesValue: option.required,
      isFile: /<(path|dir)>/.test(option.flags),
    };
  });
  return [...options, ...HELP];
}

function settingChoices(long: string): readonly string[] | null {
  const name = long.slice(2);
  if (!isSettingName(name)) return null;
  const { expected } = SETTINGS[name].type as ValueType<unknown>;
  return expected.startsWith("one of ") ? expected.slice("one of ".length).split(", ") : null;
}

function bashScript(entries: readonly Entry[]): string {
  return `# bash completion for ${PROGRAM}: eval "$(${PROGRAM} completions bash)"
_${PROGRAM}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD - 1]}"
  local path="" index word
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$path $word" in
${pathCases(entries)}
    esac
  done
  case "$path:$previous" in
${
    valueCases(entries, (choices) => `COMPREPLY=($(compgen -W "${choices}" -- "$current"))`, {
      file: 'COMPREPLY=($(compgen -f -- "$current"))',
      any: "COMPREPLY=()",
    })
  }
  esac
  local words=""
  case "$path" in
${
    entries.map(({ path, words, options }) =>
      `    ${quote(path)}) words=${
        quote([...words.map(({ name }) => name), ...options.map(({ long }) => long)].join(" "))
      } ;;`
    ).join("\n")
  }
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${PROGRAM} ${PROGRAM}
`;
}

function zshScript(entries: readonly Entry[]): string {
  return `#compdef ${PROGRAM}
# zsh completion for ${PROGRAM}: put it into a directory of $fpath, as _${PROGRAM}
_${PROGRAM}() {
  local current_path="" index word previous="\${words[CURRENT - 1]}"
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words[index]}"
    case "$current_path $word" in
${pathCases(entries).replaceAll("path=", "current_path=")}
    esac
  done
  case "$current_path:$previous" in
${
    valueCases(entries, (choices) => `compadd -- ${choices}`, {
      file: "_files",
      any: "_message value",
    })
  }
  esac
  local -a candidates
  case "$current_path" in
${
    entries.map(({ path, words, options }) => {
      const candidates = [
        ...words,
        ...options.map(({ long, doc }) => ({ name: long, doc })),
      ].map(({ name, doc }) => quote(`${name}:${doc}`));
      return `    ${quote(path)}) candidates=(\n      ${candidates.join("\n      ")}\n    ) ;;`;
    }).join("\n")
  }
  esac
  _describe ${PROGRAM} candidates
}
if [ "$funcstack[1]" = "_${PROGRAM}" ]; then _${PROGRAM} "$@"; else compdef _${PROGRAM} ${PROGRAM}; fi
`;
}

function fishScript(entries: readonly Entry[]): string {
  const lines = [
    `# fish completion for ${PROGRAM}: put it into ~/.config/fish/completions/${PROGRAM}.fish`,
    `function __${PROGRAM}_at`,
    "    set -l path",
    "    for word in (commandline -opc)[2..-1]",
    '        switch "$path $word"',
    `            case ${
      entries.filter(({ path }) => path !== "").map(({ path }) => quote(parentAndWord(path))).join(
        " ",
      )
    }`,
    "                set -a path $word",
    "        end",
    "    end",
    '    test "$path" = "$argv"',
    "end",
    `complete -c ${PROGRAM} -f`,
  ];
  for (const { path, words, options } of entries) {
    const at = `complete -c ${PROGRAM} -n ${quote(`__${PROGRAM}_at ${path}`.trim())}`;
    for (const { name, doc } of words) lines.push(`${at} -a ${quote(name)} -d ${quote(doc)}`);
    for (const { long, short, doc, choices, takesValue, isFile } of options) {
      const value = isFile ? " -r -F" : takesValue ? " -x" : "";
      const arguments_ = choices === null ? "" : ` -a ${quote(choices.join(" "))}`;
      const letter = short === null ? "" : ` -s ${short.slice(1)}`;
      lines.push(`${at} -l ${long.slice(2)}${letter}${value}${arguments_} -d ${quote(doc)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** Cases that go from a path to the one below it: `worker start`. */
function pathCases(entries: readonly Entry[]): string {
  return entries.filter(({ path }) => path !== "").map(({ path }) =>
    `      ${quote(parentAndWord(path))}) path=${quote(path)} ;;`
  ).join("\n");
}

function parentAndWord(path: string): string {
  const words = path.split(" ");
  return `${words.slice(0, -1).join(" ")} ${words.at(-1)}`;
}

/** Cases for options that take a value, each ending the function. */
function valueCases(
  entries: readonly Entry[],
  offer: (choices: string) => string,
  { file, any }: { file: string; any: string },
): string {
  return entries.flatMap(({ path, options }) =>
    options.filter(({ takesValue }) => takesValue).map(({ long, short, choices, isFile }) => {
      const names = [long, ...(short === null ? [] : [short])].map((name) =>
        quote(`${path}:${name}`)
      );
      const reply = choices !== null ? offer(choices.join(" ")) : isFile ? file : any;
      return `    ${names.join(" | ")}) ${reply}; return ;;`;
    })
  ).join("\n");
}

/** A text as one word of any of the shells; single quotes become typographic ones. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
