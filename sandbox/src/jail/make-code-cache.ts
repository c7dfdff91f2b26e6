import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CgroupSlot } from '../cgroup/types.ts'
import { deferred } from '../deferred.ts'
import type { Host } from '../host/host.ts'
import { ENGINE_FLAGS } from './node-flags.ts'
import { spawnInJail } from './spawn-in-jail.ts'

const COMPILE_MS = 30_000
const MAX_CACHE = 64 * 1024 * 1024
const COMPILER_MEMORY = 1024 * 1024 * 1024
const MAX_PROCESSES = 64
const CLEAN_UP_MS = 10
const CLEAN_UP_ROUNDS = 500

/**
 * Compiles a bundle in a jail of its own, without running it, and gives V8's code cache of all of its functions. Undefined
 * where that does not work: the bundle has a syntax error, say, and its load will tell.
 */
export async function makeCodeCache(host: Host, source: Buffer): Promise<Buffer | undefined> {
  const slot = host.takeSlot()
  const folder = join(host.runFolder.slots, String(slot))
  const gone = deferred()
  let compiler: ChildProcess | undefined
  let cgroup: CgroupSlot | undefined
  const close = () => void compiler?.kill('SIGKILL')
  const timer = setTimeout(close, COMPILE_MS)
  try {
    host.enter({ close, gone: gone.promise })
    host.makeSlotFolder(slot)
    cgroup = host.cgroups?.createSlot(host.runFolder.number, slot, { memory: COMPILER_MEMORY, pids: MAX_PROCESSES })
    const argv = ['/node', ...ENGINE_FLAGS, '/app/compile.cjs']
    compiler = spawnInJail({ host, folder, cgroup, argv, outsideId: host.outsideId(slot), passStatus: false })
    return await readCache(compiler, source)
  } finally {
    clearTimeout(timer)
    for (let round = 0; cgroup && !cgroup.remove() && round < CLEAN_UP_ROUNDS; round++) await sleep(CLEAN_UP_MS)
    cgroup?.close()
    rmSync(folder, { recursive: true, force: true })
    host.releaseSlot(slot)
    gone.resolve()
  }
}

async function readCache(compiler: ChildProcess, source: Buffer): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  compiler.stdout!.on('data', (bytes: Buffer) => {
    chunks.push(bytes)
    size += bytes.length
    if (size > MAX_CACHE) compiler.kill('SIGKILL')
  })
  compiler.stderr!.resume()
  compiler.stdin!.end(source)
  const code = await new Promise((resolve) => compiler.once('close', resolve).once('error', resolve))
  return code === 0 && size > 0 ? Buffer.concat(chunks) : undefined
}
