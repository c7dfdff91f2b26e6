import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { devicesOf, HARNESS_FOLDER } from '../host/jail-root.ts'
import { nodeEnvironment } from './node-flags.ts'

/** /tmp of every jail: part of the function's memory. */
export const TMP_OPTIONS = 'size=67108864,nr_inodes=4096,mode=1777'

const INSIDE_ID = 65534
const ENVIRONMENT = ['PATH=/bin', 'HOME=/tmp', 'TZ=UTC', 'LANG=en_US.UTF-8', ...nodeEnvironment(process.arch)]

// Memory is limited by control group; what native code may map is not (V8 reserves far more than it uses). The harness sets
// the limit of core dumps, which nsjail can only say in megabytes.
const LIMITS = `
rlimit_as_type: INF
rlimit_fsize: 128
rlimit_nofile: 1024
rlimit_stack: 8
rlimit_stack_type: VALUE
rlimit_memlock: 64
rlimit_memlock_type: VALUE
rlimit_core_type: HARD
rlimit_cpu_type: INF
`

/** Names in the policy that only x86-64 knows. */
const X86_ONLY = /\b(iopl|ioperm|modify_ldt),?\s*/g

function policyText(): string {
  const policy = readFileSync(join(HARNESS_FOLDER, 'policy.kafel'), 'utf8')
  return process.arch === 'x64' ? policy : policy.replace(X86_ONLY, '')
}

export interface NsjailConfig {
  root: string
  /** Folder with the sockets, seen inside as /run. */
  sockets?: string
  /** User and group outside; undefined: the caller's own. */
  outsideId?: number
  argv: string[]
  /** For a deterministic function: what draws from the machine's randomness is not there. */
  deterministic?: boolean
  /** fd 3 is the status pipe. */
  passStatus: boolean
}

const quote = (text: string) => JSON.stringify(text)

function mount(fields: Record<string, string | boolean>): string {
  const parts = Object.entries(fields).map(([name, value]) => `${name}: ${value === true ? 'true' : value}`)
  return `mount { ${parts.join(' ')} }`
}

/** nsjail's configuration (textproto, nsjail's config.proto) of one jail. */
export function nsjailConfig({ root, sockets, outsideId, argv, deterministic, passStatus }: NsjailConfig): string {
  const ids = `inside_id: "${INSIDE_ID}"${outsideId === undefined ? '' : ` outside_id: "${outsideId}"`} count: 1`
  const readOnly = { is_bind: true, rw: 'false', nosuid: true, nodev: true }
  return [
    'mode: ONCE',
    'hostname: "peerhost"',
    'cwd: "/app"',
    'time_limit: 0',
    'log_level: ERROR',
    'nice_level: 0',
    'mount_proc: false',
    'iface_no_lo: true',
    'clone_newcgroup: false',
    LIMITS.trim(),
    `uidmap { ${ids} }`,
    `gidmap { ${ids} }`,
    mount({ src: quote(root), dst: '"/"', ...readOnly }),
    // Read-only: what is written to a device still goes there, but nobody can set its times.
    ...devicesOf(root, deterministic).map(({ source, path }) =>
      mount({ src: quote(source), dst: quote(path), is_bind: true, rw: 'false' }),
    ),
    ...(sockets ? [mount({ src: quote(sockets), dst: '"/run"', ...readOnly, noexec: true })] : []),
    mount({
      dst: '"/tmp"',
      fstype: '"tmpfs"',
      options: quote(TMP_OPTIONS),
      rw: true,
      nosuid: true,
      nodev: true,
      noexec: true,
    }),
    ...ENVIRONMENT.map((variable) => `envar: ${quote(variable)}`),
    ...(passStatus ? ['pass_fd: 3'] : []),
    `seccomp_string: ${quote(policyText())}`,
    `exec_bin { path: ${quote(argv[0]!)} ${argv
      .slice(1)
      .map((argument) => `arg: ${quote(argument)}`)
      .join(' ')} }`,
  ].join('\n')
}
