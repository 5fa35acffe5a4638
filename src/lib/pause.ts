/** Waiting on the clock of the machine. */

/** Resolves after so many milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits for the work, but no longer than `patienceMs`; what it rejects with before that is thrown. */
export async function within(work: Promise<unknown>, patienceMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<void>((resolve) => timer = setTimeout(resolve, patienceMs));
  try {
    await Promise.race([work, patience]);
  } finally {
    clearTimeout(timer);
  }
}
