/** The order of due jobs within a lane: by due time, then insertion. */

type Row = Readonly<Record<string, unknown>>;

export function isBefore(one: Row, other: Row): boolean {
  const [runAt, otherRunAt] = [one["run_at"] as number, other["run_at"] as number];
  return runAt === otherRunAt
    ? (one["seq"] as number) < (other["seq"] as number)
    : runAt < otherRunAt;
}
