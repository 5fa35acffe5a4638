/**
 * What a table holds, as a number of rows and a checksum: equal for two databases exactly when the rows,
 * in the order of their keys, are. Knows no backend.
 */
import { createHash } from "node:crypto";
import type { CellValue, TableRow } from "../store/transfer.ts";

export interface Digest {
  readonly rows: number;
  /** SHA-256, hexadecimal. */
  readonly checksum: string;
}

export class RowDigest {
  readonly #hash = createHash("sha256");
  #rows = 0;

  /**
   * @example
   * ```ts
   * import assert from "node:assert/strict";
   * const [one, other] = [new RowDigest(), new RowDigest()];
   * one.add([["a", 1], ["b", null]]);
   * other.add([["a", 1]]);
   * other.add([["b", null]]);
   * assert.deepEqual(one.end(), other.end());
   * ```
   */
  add(rows: readonly TableRow[]): void {
    let text = "";
    for (const row of rows) {
      for (const value of row) {
        if (value instanceof Uint8Array) {
          this.#hash.update(`${text}b${value.length}:`);
          this.#hash.update(value);
          text = "";
        } else text += written(value);
      }
      text += "\n";
    }
    this.#hash.update(text);
    this.#rows += rows.length;
  }

  end(): Digest {
    return { rows: this.#rows, checksum: this.#hash.digest("hex") };
  }
}

/** No two values, and no two rows of them, are written alike: texts come with their length. */
function written(value: Exclude<CellValue, Uint8Array>): string {
  if (value === null) return "n,";
  return typeof value === "number" ? `${value},` : `t${value.length}:${value}`;
}
