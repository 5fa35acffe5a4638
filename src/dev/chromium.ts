/**
 * The browser that tests need: Debian's Chromium. Installs it where that is possible, and says what
 * to do where it is not.
 */
import { apt, aptInstall, canInstall, isThere, type Say } from "./debian.ts";

export const CHROMIUM = "/usr/bin/chromium";

/** Whether there is a browser, after having tried to get one; says what it does. */
export async function ensureChromium(say: Say): Promise<boolean> {
  if (await isThere(CHROMIUM)) return true;
  if (!await canInstall()) {
    say(`No browser at ${CHROMIUM}. On Debian: apt-get install --no-install-recommends chromium`);
    return false;
  }
  say("No browser yet: installing Debian's chromium (once)");
  const isInstalled = await apt("update") && await aptInstall("chromium", "fonts-dejavu-core");
  if (!isInstalled) say("apt-get could not install chromium");
  return isInstalled && await isThere(CHROMIUM);
}
