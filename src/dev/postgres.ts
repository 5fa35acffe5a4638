/**
 * The PostgreSQL that tests need: Debian's server programs, without a server that runs by itself.
 * Installs them where that is possible; whether the tests then find them is their own business.
 */
import { apt, aptInstall, canInstall, isThere, type Say } from "./debian.ts";

const DEBIAN_SERVERS = "/usr/lib/postgresql";

/** Says whether a cluster is made, and started, when the server is installed. */
const CLUSTER_SETTINGS = "/etc/postgresql-common/createcluster.conf";

/** Whether there are server programs, or a server was named, after having tried to get them. */
export async function ensurePostgres(say: Say): Promise<boolean> {
  if (Deno.env.get("QUEUECTL_TEST_POSTGRES") || await findsInitdb()) return true;
  if (!await canInstall()) {
    say(
      "No PostgreSQL server programs. On Debian: apt-get install postgresql; or name a server in",
    );
    say("QUEUECTL_TEST_POSTGRES");
    return false;
  }
  say("No PostgreSQL yet: installing Debian's postgresql (once)");
  const isInstalled = await apt("update") && await aptInstall("postgresql-common") &&
    await makesNoCluster() && await aptInstall("postgresql");
  if (!isInstalled) say("apt-get could not install postgresql");
  return isInstalled && await findsInitdb();
}

async function makesNoCluster(): Promise<boolean> {
  const text = await Deno.readTextFile(CLUSTER_SETTINGS);
  await Deno.writeTextFile(
    CLUSTER_SETTINGS,
    text.replace(/^#?create_main_cluster = .*$/m, "create_main_cluster = false"),
  );
  return true;
}

async function findsInitdb(): Promise<boolean> {
  const directories = (Deno.env.get("PATH") ?? "").split(":");
  try {
    for await (const { name } of Deno.readDir(DEBIAN_SERVERS)) {
      directories.push(`${DEBIAN_SERVERS}/${name}/bin`);
    }
  } catch { /* none installed */ }
  for (const directory of directories) {
    if (directory !== "" && await isThere(`${directory}/initdb`)) return true;
  }
  return false;
}
