import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createHost } from '../host/host.ts'
import { ENGINE_FLAGS } from '../jail/node-flags.ts'
import { spawnInJail } from '../jail/spawn-in-jail.ts'
import { findNode } from '../locate/find-node.ts'
import { findNsjail } from '../locate/find-nsjail.ts'

/** A system call with its number on both architectures; null: the architecture has none. */
export interface SystemCall {
  name: string
  x64: number | null
  arm64: number | null
  arguments?: (number | string)[]
}

/** How a process under the policy got on: the name of the signal that ended it, or an errno; 0: the call succeeded. */
export type CallOutcome = number | string

const JAIL_MEMORY = 256 * 1024 * 1024

// Runs in the jail as a native program would that has taken a child over: one process for each call, under nsjail's policy
// and both of the harness's filters. Texts among the arguments are passed as the addresses of C strings.
const PROBE = `
const koffi = require('/app/node_modules/koffi')
const natives = require('/app/natives.cjs')
const { compileFilter, zygoteRules, executionRules } = require('/app/seccomp.cjs')
const libc = koffi.load('libc.so.6')
const syscall = libc.func('long syscall(long, long, long, long, long, long, long)')
const kept = []
const toNumber = (value) => { if (typeof value === 'number') return value; const bytes = Buffer.from(value + '\\0'); kept.push(bytes); return koffi.address(bytes) }
const [calls] = JSON.parse(require('fs').readFileSync(0, 'utf8'))
for (const call of calls) call.arguments = Array.from({ length: 6 }, (_, i) => toNumber((call.arguments ?? [])[i] ?? 0))
syscall(39, 0, 0, 0, 0, 0, 0); koffi.errno()
const zygote = compileFilter(zygoteRules), execution = compileFilter(executionRules)
natives.installFilter(zygote)
const status = Buffer.alloc(4), outcomes = {}
for (const { name, number, arguments: values } of calls) {
  const pid = natives.fork()
  if (pid === 0) {
    natives.installFilter(execution)
    natives.exit(syscall(number, ...values) === -1 ? koffi.errno() : 0)
  }
  natives.waitpid(pid, status, 0)
  const ended = status.readUInt32LE()
  outcomes[name] = (ended & 127) === 31 ? 'SIGSYS' : (ended & 127) ? 'signal ' + (ended & 127) : ended >> 8
}
console.log(JSON.stringify(outcomes))
`

/** Makes each call in a jail that the sandbox's own configuration makes. */
export async function probeSystemCalls(calls: SystemCall[]): Promise<Record<string, CallOutcome>> {
  const architecture = process.arch as 'x64' | 'arm64'
  const numbered = calls
    .map((call) => ({ ...call, number: call[architecture] }))
    .filter(({ number }) => number !== null)
  const host = createHost({ nsjail: findNsjail(), node: findNode(), cgroups: 'required', onLog() {} })
  const slot = host.takeSlot()
  const folder = join(host.runFolder.slots, String(slot))
  host.makeSlotFolder(slot)
  const cgroup = host.cgroups!.createSlot(host.runFolder.number, slot, { memory: JAIL_MEMORY, pids: 64 })
  const argv = ['/node', ...ENGINE_FLAGS, '-e', PROBE]
  const jail = spawnInJail({ host, folder, cgroup, argv, outsideId: host.outsideId(slot), passStatus: false })
  try {
    jail.stdin!.end(JSON.stringify([numbered]))
    const [output, errors] = await Promise.all([text(jail.stdout!), text(jail.stderr!)])
    if (!output) throw new Error(`the probe did not run: ${errors}`)
    return JSON.parse(output) as Record<string, CallOutcome>
  } finally {
    jail.kill('SIGKILL')
    cgroup.remove()
    cgroup.close()
    rmSync(folder, { recursive: true, force: true })
    host.releaseSlot(slot)
    await host.close()
  }
}
