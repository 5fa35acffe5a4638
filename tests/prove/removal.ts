/**
 * What a row of the tables of protections says, and what is to be taken out with a store.
 *
 * Invariant: a protection of every store has to be caught with each of them.
 */
import type { Backend } from "../helpers/backend.ts";
import { REMOVALS } from "./removals.ts";
import { REMOVALS_IN_STORES } from "./removals_in_stores.ts";

/** What must fail without the protection: a test, by a part of its name, or an experiment. */
export type Catcher =
  | { readonly test: string; readonly named: string }
  | { readonly experiment: string };

/** Each text must stand in the file; every occurrence is replaced. */
type Edits = readonly (readonly [text: string, instead: string])[];

/** A row of the tables. */
export interface Protection {
  readonly protection: string;
  /** Relative to the root of the project; `{store}` is the folder of the store that is tested. */
  readonly file: string;
  /**
   * For each store that has the protection; where they are not told apart: for every store that the
   * file belongs to. What belongs to none is taken out once, with SQLite.
   */
  readonly edits: Edits | Partial<Readonly<Record<Backend, Edits>>>;
  /** A promise is a test that all stores pass. */
  readonly caughtBy: Catcher | { readonly promise: string };
  /** Seconds at most, for `--quick`. */
  readonly isCheap?: true;
}

/** A protection to be taken out with one of the stores. */
export interface Removal extends Pick<Protection, "protection" | "file" | "isCheap"> {
  readonly edits: Edits;
  readonly caughtBy: Catcher;
}

/** Where the promises are tested that all stores keep. */
const PROMISES: Readonly<Record<Backend, string>> = {
  sqlite: "tests/store/sqlite_test.ts",
  postgres: "tests/postgres/conformance_test.ts",
};

/** What can be taken out with a store, and must be caught. */
export function removalsWith(store: Backend): Removal[] {
  return [...REMOVALS, ...REMOVALS_IN_STORES].flatMap((row) => {
    const edits = editsWith(store, row);
    if (edits === undefined) return [];
    const { caughtBy } = row;
    return [{
      ...row,
      edits,
      file: row.file.replace("{store}", store),
      caughtBy: "promise" in caughtBy
        ? { test: PROMISES[store], named: caughtBy.promise }
        : caughtBy,
    }];
  });
}

function editsWith(store: Backend, { file, edits }: Protection): Edits | undefined {
  if (!isSame(edits)) return edits[store];
  if (file.includes("{store}")) return edits;
  const owner: Backend = file.startsWith("src/store/postgres/") ? "postgres" : "sqlite";
  return store === owner ? edits : undefined;
}

function isSame(edits: Protection["edits"]): edits is Edits {
  return Array.isArray(edits);
}
