/** Debian packages that tests need: installs them where that is possible, says so where it is not. */

export type Say = (text: string) => void;

/** Whether packages can be installed here: on Debian, by root. */
export async function canInstall(): Promise<boolean> {
  return Deno.uid() === 0 && await isThere("/etc/debian_version");
}

/** Runs apt-get without a question; false: it failed, and has said why. */
export async function apt(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["--quiet", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  return success;
}

/** Installs packages and what they depend on, and nothing that they only recommend. */
export function aptInstall(...packages: string[]): Promise<boolean> {
  return apt("install", "--yes", "--no-install-recommends", ...packages);
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
