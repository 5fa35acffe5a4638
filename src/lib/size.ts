/** Sizes in bytes as people write them: `512`, `64KiB`, `1MiB`, `2GiB`. */

const UNIT_BYTES = { "": 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** What {@link parseSize} accepts, for error messages. */
export const SIZE_EXPECTED = "a size in bytes such as 4096, 64KiB, 1MiB or 2GiB";

/** The size in bytes, or null when the text is not a size. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*(B|KiB|MiB|GiB|)$/.exec(text.trim());
  if (match === null) return null;
  const bytes = Math.round(Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES]);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The shortest way to write a size exactly: 1048576 is `1MiB`, 1000 is `1000`. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    if (bytes >= UNIT_BYTES[unit] && bytes % UNIT_BYTES[unit] === 0) {
      return `${bytes / UNIT_BYTES[unit]}${unit}`;
    }
  }
  return String(bytes);
}
