/**
 * What the words after `deno task test` ask for. Owns their meaning; knows the suites by name only.
 *
 * Invariant: whatever is asked for can be had, or every mistake is named.
 */

export interface TestRequest {
  /** In the order in which suites are run. */
  readonly suites: readonly RequestedSuite[];
  /** Whether types are checked first. */
  readonly isChecked: boolean;
  /** Options for `deno test`. */
  readonly passedOn: readonly string[];
}

export interface RequestedSuite {
  readonly name: string;
  /** Only tests whose name fits; missing: all. */
  readonly filter?: string;
}

/**
 * Reads `[--no-check] [--without] [SUITE[:FILTER]...] [-- OPTION...]`.
 *
 * @param all the names of the suites there are.
 */
export function readRequest(
  args: readonly string[],
  all: readonly string[],
): TestRequest | { readonly mistakes: readonly string[] } {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const words = args.slice(0, end);
  const flags = words.filter((word) => word.startsWith("--"));
  const named = words.filter((word) => !word.startsWith("--")).map(readSuite);
  const mistakes = [
    ...flags.filter((flag) => flag !== "--no-check" && flag !== "--without")
      .map((flag) => `no option ${flag}; expected --no-check or --without`),
    ...named.filter(({ name }) => !all.includes(name))
      .map(({ name }) => `no test suite ${name}; expected some of ${all.join(", ")}`),
  ];
  if (mistakes.length > 0) return { mistakes };
  const isLeftOut = flags.includes("--without");
  return {
    suites: all.flatMap((name) => {
      const found = named.findLast((suite) => suite.name === name);
      const isWanted = isLeftOut ? found === undefined : found !== undefined || named.length === 0;
      return isWanted ? [found ?? { name }] : [];
    }),
    isChecked: !flags.includes("--no-check"),
    passedOn: args.slice(end + 1),
  };
}

function readSuite(word: string): RequestedSuite {
  const [name, filter] = word.split(/:(.*)/s);
  return filter === undefined ? { name: name! } : { name: name!, filter };
}
