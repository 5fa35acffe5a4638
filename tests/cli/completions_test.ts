/** Completion scripts, run by the shell they are for where that is installed. */
import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/commands.ts";
import { completionScript, SHELLS } from "../../src/cli/completions.ts";
import { queuectl } from "../helpers/cli.ts";

/** What bash offers for the last of these words. */
async function completeInBash(...words: string[]): Promise<string[]> {
  const script = `${completionScript("bash")}
    COMP_WORDS=(queuectl "$@"); COMP_CWORD=$#
    _queuectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script, "bash", ...words],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "");
}

function isInstalled(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("bash completes commands, subcommands, options and their words", {
  ignore: !isInstalled("bash"),
}, async () => {
  assert.deepEqual((await completeInBash("re")).sort(), ["requeue"]);
  assert.ok((await completeInBash("")).includes("dlq"));
  assert.deepEqual((await completeInBash("dlq", "")).sort(), ["--help", "list", "purge", "retry"]);
  assert.deepEqual(await completeInBash("worker", "sta"), ["start"]);
  assert.deepEqual(await completeInBash("worker", "start", "--det"), ["--detach"]);
  assert.deepEqual(await completeInBash("list", "--state", "d"), ["dead"]);
  assert.deepEqual(await completeInBash("--json", "list", "--limit", "5", "--dl"), ["--dlq"]);
  assert.deepEqual(await completeInBash("serve", "--log-format", ""), ["pretty", "json"]);
  assert.deepEqual(await completeInBash("config", "set", "max-r"), ["max-retries"]);
  assert.deepEqual(await completeInBash("completions", "z"), ["zsh"]);
});

for (const shell of SHELLS) {
  Deno.test(`the script for ${shell} is sound, and names every command and state`, async () => {
    const { code, stdout } = await queuectl(["completions", shell]);
    assert.equal(code, 0);
    assert.equal(stdout, completionScript(shell));
    for (const { path, options } of COMMANDS) {
      assert.ok(stdout.includes(path.at(-1)!), path.join(" "));
      for (const { flags } of options ?? []) {
        const long = /--([a-z-]+)/.exec(flags)![1]!;
        assert.ok(stdout.includes(long), `${path.join(" ")} ${flags}`);
      }
    }
    assert.ok(stdout.includes("processing") && stdout.includes("cancelled"));
    if (!isInstalled(shell)) return;
    const check = await new Deno.Command(shell, { args: ["-n", "-c", stdout] }).output();
    assert.equal(new TextDecoder().decode(check.stderr), "");
  });
}
