import { realpathSync } from 'node:fs'
import type { Watching } from 'webpack'
import { type Bundle, type BundleSource, finishBundle } from './bundle-functions.ts'
import { type CompileResult, createEntryCompiler } from './compile-entry.ts'
import { type ResolvedHandler, resolveHandler } from './resolve-handler.ts'

/** Milliseconds to gather what one save changes. */
const QUIET = 60

/** A function's new bundle, or why there is none. */
export type WatchedBundle = { name: string; bundle: Bundle } | { name: string; error: unknown }

export interface FunctionWatcher {
  close(): Promise<void>
}

/**
 * Bundles functions now and whenever their sources change, by the same recipe and with the same bytes as `bundleFunctions`, but
 * from what it remembers. Functions that change together are reported together; the first report is of all.
 */
export async function watchFunctions(
  serviceDir: string,
  sources: BundleSource[],
  report: (bundles: WatchedBundle[]) => void,
): Promise<FunctionWatcher> {
  const root = realpathSync(serviceDir)
  const entries = new Map<string, { source: BundleSource; handler: ResolvedHandler }[]>()
  for (const source of sources) {
    const handler = resolveHandler(root, source.name, source.handler)
    entries.set(handler.file, [...(entries.get(handler.file) ?? []), { source, handler }])
  }

  const changed = new Map<string, CompileResult>()
  const compiling = new Set(entries.keys())
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    // a function that still compiles may belong to the same change
    if (compiling.size > 0 || changed.size === 0) return
    const bundles = [...changed].flatMap(([file, result]) =>
      entries.get(file)!.map(({ source, handler }): WatchedBundle => {
        try {
          return { name: source.name, bundle: finishBundle(source, handler, result) }
        } catch (error) {
          return { name: source.name, error }
        }
      }),
    )
    changed.clear()
    report(bundles)
  }
  const settle = (file: string, result: CompileResult) => {
    compiling.delete(file)
    changed.set(file, result)
    clearTimeout(timer)
    timer = setTimeout(flush, QUIET)
  }

  const watchings: Watching[] = []
  for (const file of entries.keys()) {
    const { compiler, read } = await createEntryCompiler({ serviceDir: root, entry: file }, (config) => {
      config.cache = { type: 'memory' }
    })
    compiler.hooks.watchRun.tap('peerhost', () => {
      compiling.add(file)
    })
    const failed = (error: unknown): CompileResult => ({
      ok: false,
      reason: 'failed',
      detail: error instanceof Error ? error.message : String(error),
    })
    const watching = compiler.watch(
      { aggregateTimeout: QUIET, ignored: /[\\/](\.git|\.serverless|\.peerhost)[\\/]/ },
      (error, stats) => {
        if (error || !stats) settle(file, failed(error))
        else
          read(stats).then(
            (result) => settle(file, result),
            (reason) => settle(file, failed(reason)),
          )
      },
    )
    watchings.push(watching!)
  }
  return {
    async close() {
      clearTimeout(timer)
      await Promise.all(watchings.map((watching) => new Promise<void>((resolve) => watching.close(() => resolve()))))
    },
  }
}
