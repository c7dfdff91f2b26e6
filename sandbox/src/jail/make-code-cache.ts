import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { ENGINE_FLAGS } from './node-flags.ts'
import { spawnInJail } from './spawn-in-jail.ts'

const COMPILE_MS = 30_000
const MAX_CACHE = 64 * 1024 * 1024
const COMPILER_MEMORY = 1024 * 1024 * 1024
const MAX_PROCESSES = 64

/**
 * Compiles a bundle in a jail of its own, without running it, and gives V8's code cache of all of its functions. Undefined
 * where that does not work: the bundle has a syntax error, say, and its load will tell.
 */
export async function makeCodeCache(host: Host, source: Buffer): Promise<Buffer | undefined> {
  const slot = host.takeSlot()
  const folder = join(host.runFolder.path, 'slots', String(slot))
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  const limits = { memory: COMPILER_MEMORY, pids: MAX_PROCESSES }
  const cgroup = host.cgroups?.createSlot(host.runFolder.number, slot, limits)
  const argv = ['/node', ...ENGINE_FLAGS, '/app/compile.cjs']
  const compiler = spawnInJail({ host, folder, cgroup, argv, outsideId: host.outsideId(slot), passStatus: false })
  const timer = setTimeout(() => compiler.kill('SIGKILL'), COMPILE_MS)
  try {
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
  } finally {
    clearTimeout(timer)
    cgroup?.remove()
    cgroup?.close()
    rmSync(folder, { recursive: true, force: true })
    host.releaseSlot(slot)
  }
}
