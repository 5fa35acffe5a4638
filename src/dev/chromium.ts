/**
 * The browser that tests need: Debian's Chromium. Installs it where that is possible, and says what
 * to do where it is not.
 */

export const CHROMIUM = "/usr/bin/chromium";

/** Whether there is a browser, after having tried to get one; says what it does. */
export async function ensureChromium(say: (text: string) => void): Promise<boolean> {
  if (await isThere(CHROMIUM)) return true;
  const isDebian = await isThere("/etc/debian_version");
  if (!isDebian || Deno.uid() !== 0) {
    say(`No browser at ${CHROMIUM}. On Debian: apt-get install --no-install-recommends chromium`);
    return false;
  }
  say("No browser yet: installing Debian's chromium (once)");
  const packages = ["chromium", "fonts-dejavu-core"];
  const isInstalled = await apt("update") &&
    await apt("install", "--yes", "--no-install-recommends", ...packages);
  if (!isInstalled) say("apt-get could not install chromium");
  return isInstalled && await isThere(CHROMIUM);
}

async function apt(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args: ["--quiet", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  return success;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
