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
 * Kills every process whose environment has the mark, those included that moved to a session of
 * their own. Needs /proc; elsewhere only the group is killed.
 */
export function killMarked(mark: string): void {
  const wanted = `${MARK_VARIABLE}=${mark}`;
  try {
    for (const { name } of Deno.readDirSync("/proc")) {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === Deno.pid || !hasEntry(pid, wanted)) continue;
      try {
        Deno.kill(pid, "SIGKILL");
      } catch { /* it ended meanwhile */ }
    }
  } catch { /* no /proc here, or not allowed to look */ }
}

function hasEntry(pid: number, wanted: string): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0").includes(wanted);
  } catch {
    return false;
  }
}
