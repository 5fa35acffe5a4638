/**
 * Ending processes for good: a whole group, and those that left their group but still carry the
 * mark that they inherited. Killing what is gone already is no error.
 */

/** The environment variable that marks what a job has started: `HOLDER:SEQ:TOKEN`. */
export const MARK_VARIABLE = "QUEUECTL_JOB_MARK";

/**
 * Signals a whole group, led by the process with the same number. Only while that process is known
 * to live may it be signalled alone: it has just been started and has not made its group yet.
 */
export function killGroup(pgid: number, signal: Deno.Signal, { isLeaderAlive = false } = {}): void {
  try {
    Deno.kill(-pgid, signal);
  } catch {
    if (!isLeaderAlive) return;
    try {
      Deno.kill(pgid, signal);
    } catch { /* it ended meanwhile */ }
  }
}

/**
 * Kills every process whose environment has the mark, or the mark with a colon and more, those included that moved to a session of
 * their own. Needs /proc; elsewhere only the group is killed.
 */
export function killMarked(mark: string): void {
  const wanted = `${MARK_VARIABLE}=${mark}`;
  const killed = new Set<number>();
  // One look is not enough: a process may fork behind its back, and while it turns into another
  // program its environment reads as empty. It is over when the second look or a later one finds
  // nobody new.
  for (let look = 1; look <= MAX_LOOKS; look++) {
    const found = findMarked(wanted).filter((pid) => !killed.has(pid));
    if (found.length === 0 && look > 1) return;
    for (const pid of found) {
      killed.add(pid);
      try {
        Deno.kill(pid, "SIGKILL");
      } catch { /* it ended meanwhile */ }
    }
  }
}

/** Against a command that forks without end. */
const MAX_LOOKS = 20;

function findMarked(wanted: string): number[] {
  try {
    return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
      .filter((pid) => Number.isInteger(pid) && pid !== Deno.pid && hasEntry(pid, wanted));
  } catch {
    return []; // no /proc here, or not allowed to look
  }
}

function hasEntry(pid: number, wanted: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0")
      .some((entry) => entry === wanted || entry.startsWith(`${wanted}:`));
  } catch {
    return false;
  }
}
