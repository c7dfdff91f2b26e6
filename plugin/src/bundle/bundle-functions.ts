import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Hex, PeerHostError } from '@peerhost/protocol'
import { type CompileResult, type CompileTask, compileEntry } from './compile-entry.ts'
import { type ResolvedHandler, resolveHandler } from './resolve-handler.ts'

/** Bytes. A bundle is loaded in full by every worker that runs it. */
export const MAX_BUNDLE_SIZE = 10 * 1024 * 1024

export interface BundleSource {
  name: string
  /** As in serverless.yml: `src/quote.handler`. */
  handler: string
  /** Where the handler is looked for, if not in the service: an unpacked artifact. */
  dir?: string
}

export interface Bundle {
  name: string
  bytes: Uint8Array
  /** sha-256 of the bytes. */
  codeDigest: Hex
  /** Absolute paths of the service's own files in it. */
  sources: string[]
}

export interface BundleOptions {
  /** Bytes; default MAX_BUNDLE_SIZE. */
  maxSize?: number
  /** Processes that compile at once; default 2, or 1 on a single core. */
  processes?: number
}

/** Makes a checked bundle of what the compiler returned. */
export function finishBundle(
  source: BundleSource,
  handler: ResolvedHandler,
  result: CompileResult,
  maxSize = MAX_BUNDLE_SIZE,
): Bundle {
  const { name } = source
  if (!result.ok) {
    if (result.reason === 'native')
      throw new PeerHostError('PH_BUNDLE_NATIVE_MODULE', { function: name, module: result.detail })
    throw new PeerHostError('PH_BUNDLE_FAILED', { function: name, detail: result.detail })
  }
  if (result.exports && !result.exports.includes(handler.exportPath[0]!)) {
    throw new PeerHostError('PH_CONFIG_HANDLER_NOT_FOUND', { function: name, handler: source.handler })
  }
  const { bytes } = result
  if (bytes.length > maxSize) {
    throw new PeerHostError('PH_BUNDLE_TOO_LARGE', { function: name, size: bytes.length, limit: maxSize })
  }
  const codeDigest: Hex = `0x${createHash('sha256').update(bytes).digest('hex')}`
  return { name, bytes, codeDigest, sources: result.sources }
}

/** A second process that compiles. */
class CompileProcess {
  readonly #child: ChildProcess

  constructor() {
    const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const file = fileURLToPath(new URL(`./compile-process${ending}`, import.meta.url))
    this.#child = fork(file, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], serialization: 'advanced' })
  }

  async compile(task: CompileTask): Promise<CompileResult> {
    const answer = new AbortController()
    try {
      this.#child.send(task)
      return await Promise.race([
        once(this.#child, 'message', { signal: answer.signal }).then(([result]) => result as CompileResult),
        once(this.#child, 'exit', { signal: answer.signal }).then(([code, signal]): CompileResult => {
          return { ok: false, reason: 'failed', detail: `the compiler's process ended (${signal ?? code})` }
        }),
      ])
    } finally {
      answer.abort()
    }
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect()
  }
}

/** Takes tasks from a common queue: one consumer in this process, further ones each in its own. */
async function compileAll(tasks: Map<string, CompileTask>, processes: number): Promise<Map<string, CompileResult>> {
  const queue = [...tasks]
  const results = new Map<string, CompileResult>()
  const helpers = Array.from({ length: Math.min(processes, tasks.size) - 1 }, () => new CompileProcess())
  const consume = async (compile: (task: CompileTask) => Promise<CompileResult>) => {
    for (let next = queue.shift(); next; next = queue.shift()) results.set(next[0], await compile(next[1]))
  }
  try {
    await Promise.all([consume(compileEntry), ...helpers.map((helper) => consume((task) => helper.compile(task)))])
  } finally {
    for (const helper of helpers) helper.close()
  }
  return results
}

/**
 * Bundles functions, one compilation per source file, so that a bundle depends on its own sources and on no neighbour.
 * The bundle's `module.exports` are the exports of the handler's module (or a promise of them, with top-level await).
 *
 * @throws PH_CONFIG_HANDLER_NOT_FOUND, PH_BUNDLE_FAILED, PH_BUNDLE_NATIVE_MODULE, PH_BUNDLE_TOO_LARGE
 */
export async function bundleFunctions(
  serviceDir: string,
  sources: BundleSource[],
  options: BundleOptions = {},
): Promise<Bundle[]> {
  const root = realpathSync(serviceDir)
  const handlers = sources.map((source) => {
    const dir = source.dir ? realpathSync(source.dir) : root
    return { dir, ...resolveHandler(dir, source.name, source.handler) }
  })
  const tasks = new Map(
    handlers.map(({ dir, file }): [string, CompileTask] => [file, { serviceDir: dir, entry: file }]),
  )
  const processes = options.processes ?? Math.min(2, availableParallelism())
  const results = await compileAll(tasks, Math.max(1, processes))
  return sources.map((source, i) =>
    finishBundle(source, handlers[i]!, results.get(handlers[i]!.file)!, options.maxSize),
  )
}
