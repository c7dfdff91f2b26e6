import { existsSync, realpathSync } from 'node:fs'
import type { Watching } from 'webpack'
import { type Bundle, type BundleSource, finishBundle } from './bundle-functions.ts'
import { type CompileResult, createEntryCompiler } from './compile-entry.ts'
import { type ResolvedHandler, resolveHandler } from './resolve-handler.ts'

/** Milliseconds to gather what one save changes. */
const QUIET = 60
/** Milliseconds between two looks whether handlers are still, or by now, where they are said to be. */
const LOOK = 500

/** A function's new bundle, or why there is none. */
export type WatchedBundle = { name: string; bundle: Bundle } | { name: string; error: unknown }

/** A function and where its handler is, if it is anywhere. */
interface Watched {
  source: BundleSource
  place: ResolvedHandler | { error: unknown }
}

/** One source file that webpack watches, with all it imports. */
interface Entry {
  watching?: Watching
  /** Absent while it compiles for the first time. */
  result?: CompileResult
}

const samePlace = (a: Watched, b: Watched): boolean => {
  if ('error' in a.place || 'error' in b.place) return 'error' in a.place && 'error' in b.place
  return a.place.file === b.place.file && a.place.exportPath.join() === b.place.exportPath.join()
}

/**
 * Bundles functions now and whenever their sources change, by the same recipe and with the same bytes as `bundleFunctions`, but
 * from what it remembers. Functions that change together are reported together; the first report is of all.
 */
export class FunctionWatcher {
  readonly #root: string
  readonly #report: (bundles: WatchedBundle[]) => void
  readonly #entries = new Map<string, Entry>()
  readonly #compiling = new Set<string>()
  /** Functions to report. */
  readonly #changed = new Set<string>()
  readonly #look: NodeJS.Timeout
  #watched = new Map<string, Watched>()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(serviceDir: string, sources: BundleSource[], report: (bundles: WatchedBundle[]) => void) {
    this.#root = realpathSync(serviceDir)
    this.#report = report
    this.update(sources)
    this.#look = setInterval(() => this.#reconcile(), LOOK)
  }

  /** Watches these from now on. Those that are new or whose handler is another are reported, the others stay as they are. */
  update(sources: BundleSource[]): void {
    this.#reconcile(sources)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#look)
    clearTimeout(this.#timer)
    await Promise.all([...this.#entries.keys()].map((file) => this.#forget(file)))
  }

  /** Handlers come, go and change their ending: the compilers follow. */
  #reconcile(sources = [...this.#watched.values()].map(({ source }) => source)): void {
    const before = this.#watched
    this.#watched = new Map(sources.map((source) => [source.name, { source, place: this.#find(source) }]))
    const files = new Set<string>()
    for (const [name, watched] of this.#watched) {
      const known = before.get(name)
      if (!known || known.source.handler !== watched.source.handler || !samePlace(known, watched))
        this.#changed.add(name)
      if ('file' in watched.place) files.add(watched.place.file)
    }
    for (const file of this.#entries.keys()) if (!files.has(file)) void this.#forget(file)
    for (const file of files) if (!this.#entries.has(file)) this.#open(file)
    this.#settle()
  }

  #find({ name, handler }: BundleSource): Watched['place'] {
    try {
      return resolveHandler(this.#root, name, handler)
    } catch (error) {
      return { error }
    }
  }

  #open(file: string): void {
    const entry: Entry = {}
    this.#entries.set(file, entry)
    this.#compiling.add(file)
    const take = (result: CompileResult) => {
      if (this.#entries.get(file) !== entry) return
      entry.result = result
      this.#compiling.delete(file)
      // a file that is gone is said to be missing, not to have a mistake in it
      if (!result.ok && !existsSync(file)) return this.#reconcile()
      for (const [name, { place }] of this.#watched) if ('file' in place && place.file === file) this.#changed.add(name)
      this.#settle()
    }
    const failed = (error: unknown): void =>
      take({ ok: false, reason: 'failed', detail: error instanceof Error ? error.message : String(error) })
    this.#watch(file, entry, take, failed).catch(failed)
  }

  async #watch(
    file: string,
    entry: Entry,
    take: (result: CompileResult) => void,
    failed: (error: unknown) => void,
  ): Promise<void> {
    const { compiler, read } = await createEntryCompiler({ serviceDir: this.#root, entry: file }, (config) => {
      config.cache = { type: 'memory' }
    })
    if (this.#entries.get(file) !== entry) return
    compiler.hooks.watchRun.tap('peerhost', () => {
      if (this.#entries.get(file) === entry) this.#compiling.add(file)
    })
    entry.watching = compiler.watch(
      { aggregateTimeout: QUIET, ignored: /[\\/](\.git|\.serverless|\.peerhost)[\\/]/ },
      (error, stats) => {
        if (error || !stats) failed(error)
        else read(stats).then(take, failed)
      },
    )
  }

  async #forget(file: string): Promise<void> {
    const { watching } = this.#entries.get(file)!
    this.#entries.delete(file)
    this.#compiling.delete(file)
    if (watching) await new Promise<void>((resolve) => watching.close(() => resolve()))
  }

  #settle(): void {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#timer = setTimeout(() => this.#flush(), QUIET)
  }

  #flush(): void {
    // a function that still compiles may belong to the same change
    if (this.#compiling.size > 0 || this.#changed.size === 0) return
    const names = [...this.#changed].filter((name) => this.#watched.has(name))
    this.#changed.clear()
    if (names.length > 0) this.#report(names.map((name) => this.#outcome(this.#watched.get(name)!)))
  }

  #outcome({ source, place }: Watched): WatchedBundle {
    const { name } = source
    if ('error' in place) return { name, error: place.error }
    try {
      return { name, bundle: finishBundle(source, place, this.#entries.get(place.file)!.result!) }
    } catch (error) {
      return { name, error }
    }
  }
}
