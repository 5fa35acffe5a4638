/** The module of handlers that the processes run which are to be killed. */
import { spawn } from "node:child_process";

let hasChild = false;

/** Adds so many follow-ups, and leaves behind a process that only the end of its group ends. */
export async function grow(
  { leaves }: { leaves: number },
  // deno-lint-ignore no-explicit-any -- what handlers are given has no type outside of the program
  { job, enqueue }: any,
): Promise<number> {
  if (!hasChild) spawn("sleep", ["300"], { stdio: "ignore" });
  hasChild = true;
  for (let leaf = 0; leaf < leaves; leaf++) {
    await enqueue({ kind: "count", payload: job.id, queue: "leaves", key: job.id });
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  return leaves;
}
