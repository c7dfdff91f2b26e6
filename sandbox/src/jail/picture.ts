import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

// What a jail looks like from outside, by /proc. A bundle can lie about itself; it cannot lie about this.

/** The jail's start folder, as the process inside sees it. */
const START_FOLDER = '/app'

/** Numbers of the system calls in which an idle thread waits. */
const WAITS: Record<string, { read: string; wait4: string; idle: string[] }> = {
  x64: { read: '0', wait4: '61', idle: ['202', '232', '281'] }, // futex, epoll_wait, epoll_pwait
  arm64: { read: '63', wait4: '260', idle: ['98', '22'] },
}

const SIGCHLD = 17 // would be handled, and counted, in the zygote at each execution's end
const O_WRONLY = 1
const O_NONBLOCK = 0o4000
const ACCESS_MODE = 3

const text = (path: string) => readFileSync(path, 'latin1')
const field = (status: string, name: string) => new RegExp(`^${name}:\\s*(.*)`, 'm').exec(status)?.[1] ?? ''

export interface Descriptor {
  target: string
  /** Octal, as /proc writes them. */
  flags: string
}

/** What of a zygote may not change. */
export interface Picture {
  descriptors: Record<string, Descriptor>
  threads: string[]
  settings: Record<string, string>
  children: number
  sharedMappings: number
  listeners: number
  temporaryFiles: number
}

/** The descriptors that a child must replace, by kind. */
export interface ShareableDescriptors {
  eventfds: number[]
  epolls: number[]
  pipes: { read: number[]; write: number[] }[]
  /** Blocking pipes: libuv's lock around signal handlers, a token in a pipe. */
  locks: { read: number[]; write: number[] }[]
  directories: number[]
}

function descriptorsOf(pid: number): Record<string, Descriptor> {
  const descriptors: Record<string, Descriptor> = {}
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`)
    descriptors[fd] = { target, flags: field(text(`/proc/${pid}/fdinfo/${fd}`), 'flags') }
  }
  return descriptors
}

function settingsOf(pid: number): Record<string, string> {
  const status = text(`/proc/${pid}/status`)
  // After the command's name, which may hold spaces. Index 0 is field 3 of proc(5).
  const stat = text(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ')
  return {
    umask: field(status, 'Umask'),
    affinity: field(status, 'Cpus_allowed'),
    filters: field(status, 'Seccomp_filters'),
    blockedSignals: field(status, 'SigBlk'),
    handlesChildSignal: String((Number.parseInt(field(status, 'SigCgt').slice(-8), 16) >>> (SIGCHLD - 1)) & 1),
    pendingSignals: `${field(status, 'SigPnd')} ${field(status, 'ShdPnd')}`,
    priority: `${stat[15]} ${stat[16]} ${stat[38]}`, // priority, nice, scheduling policy
    limits: text(`/proc/${pid}/limits`),
    folder: readlinkSync(`/proc/${pid}/cwd`),
  }
}

/** Processes whose parent is `pid`. */
export const childrenOf = (pid: number): number[] =>
  text(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)

/** Takes the whole picture of a zygote. Throws where it is gone. */
export function takePicture(pid: number): Picture {
  return {
    descriptors: descriptorsOf(pid),
    threads: readdirSync(`/proc/${pid}/task`),
    settings: settingsOf(pid),
    children: childrenOf(pid).length,
    sharedMappings: (text(`/proc/${pid}/maps`).match(/^\S+ ...s /gm) ?? []).length,
    listeners: (text(`/proc/${pid}/net/unix`).match(/ [@/]/g) ?? []).length,
    temporaryFiles: readdirSync(`/proc/${pid}/root/tmp`).length,
  }
}

/** The inherited descriptors that a child must replace, by kind. fd 0 to 3 are the harness's own. */
export function shareableDescriptors({ descriptors }: Picture): ShareableDescriptors {
  const sorted: ShareableDescriptors = { eventfds: [], epolls: [], pipes: [], locks: [], directories: [] }
  const pipes: Record<string, { read: number[]; write: number[] }> = {}
  const blocking = new Set<string>()
  for (const [name, { target, flags }] of Object.entries(descriptors)) {
    const fd = Number(name)
    if (fd <= 3) continue
    if (target === 'anon_inode:[eventfd]') sorted.eventfds.push(fd)
    else if (target === 'anon_inode:[eventpoll]') sorted.epolls.push(fd)
    else if (target.startsWith('/')) sorted.directories.push(fd)
    else if (target.startsWith('pipe:')) {
      pipes[target] ??= { read: [], write: [] }
      const bits = Number.parseInt(flags, 8)
      const writes = (bits & ACCESS_MODE) === O_WRONLY
      if ((bits & O_NONBLOCK) === 0) blocking.add(target)
      pipes[target][writes ? 'write' : 'read'].push(fd)
    } else throw new Error(`descriptor ${fd} is of a kind that no child replaces: ${target}`)
  }
  for (const [target, ends] of Object.entries(pipes)) sorted[blocking.has(target) ? 'locks' : 'pipes'].push(ends)
  return sorted
}

const changedKeys = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => before[key] !== after[key])

const targets = ({ descriptors }: Picture) =>
  Object.fromEntries(Object.entries(descriptors).map(([fd, { target }]) => [fd, target]))
const threads = (picture: Picture) => Object.fromEntries(picture.threads.map((thread) => [thread, true]))

/** What a load left in the zygote that executions would share. Empty: children may be forked from it. */
export function leftByLoad(blank: Picture, ready: Picture): string[] {
  const found: string[] = []
  for (const fd of changedKeys(targets(blank), targets(ready))) {
    found.push(`descriptor ${fd}: ${ready.descriptors[fd]?.target ?? 'closed'}`)
  }
  for (const thread of changedKeys(threads(blank), threads(ready))) found.push(`thread ${thread}`)
  for (const name of changedKeys(blank.settings, ready.settings)) found.push(`${name} changed`)
  if (ready.children) found.push('a child process')
  if (ready.sharedMappings) found.push('a shared mapping')
  if (ready.listeners) found.push('a listener')
  if (ready.temporaryFiles) found.push('files in /tmp')
  if (ready.settings.folder !== START_FOLDER) found.push(`working folder ${ready.settings.folder}`)
  return found
}

/**
 * Threads that are up to something: the main one must wait for an order (or for its child), all others for work.
 *
 * @param main what the main thread must do: `order` reads fd 0, `child` waits for a process
 */
export function busyThreads(pid: number, main: 'order' | 'child'): string[] {
  const waits = WAITS[process.arch]!
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    const [syscall, first] = text(`/proc/${pid}/task/${thread}/syscall`).trim().split(' ')
    const mainIdle = main === 'order' ? syscall === waits.read && first === '0x0' : syscall === waits.wait4
    const idle = Number(thread) === pid ? mainIdle : waits.idle.includes(syscall!)
    return idle ? [] : [`thread ${thread} in system call ${syscall}`]
  })
}
