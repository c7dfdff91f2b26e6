import { minify } from '@swc/core'
import type { Compilation, Compiler, Stats } from 'webpack'
import { describeBuildError } from './describe-build-error.ts'
import { findNativeModule } from './find-native-module.ts'
import { BUNDLE_FILE, webpackConfig } from './webpack-config.ts'

/** One source file to bundle. */
export interface CompileTask {
  /** Absolute, without symbolic links. */
  serviceDir: string
  /** Absolute. */
  entry: string
}

/** A value rather than an exception, so that it passes between processes. */
export type CompileResult =
  | {
      ok: true
      bytes: Uint8Array
      /** The module's exports, where they can be known without running it. */
      exports: string[] | undefined
      /** Absolute paths of the files outside node_modules that went into it. */
      sources: string[]
    }
  | { ok: false; reason: 'failed' | 'native'; detail: string }

/** What webpack knew before it merged modules. */
interface Findings {
  native?: string
  exports?: string[]
}

function inspect(compilation: Compilation, serviceDir: string): Findings {
  const dependency = compilation.entries.get('handler')?.dependencies[0]
  const entry = dependency && compilation.moduleGraph.getModule(dependency)
  if (!entry) return {}
  const provided = compilation.moduleGraph.getExportsInfo(entry).getProvidedExports()
  const native = findNativeModule(compilation, entry, serviceDir)
  if (!Array.isArray(provided)) return { native }
  // of a CommonJS module `default` is module.exports itself
  const isEsm = entry.buildMeta?.exportsType === 'namespace'
  return { native, exports: isEsm ? provided : [...provided, 'default'] }
}

async function minified(code: string): Promise<Uint8Array> {
  const result = await minify(code, {
    // names are part of behaviour: error types, dependency injection
    compress: { keep_classnames: true, keep_fnames: true },
    mangle: { keep_classnames: true, keep_fnames: true },
    module: false,
    sourceMap: false,
    format: { comments: 'some' },
  })
  return Buffer.from(result.code, 'utf8')
}

/** A webpack compiler for one entry, and how to read its result. Kept and run again by the watcher. */
export async function createEntryCompiler(
  task: CompileTask,
  adjust: (config: import('webpack').Configuration) => void = () => {},
) {
  const { default: webpack } = await import('webpack')
  const config = webpackConfig(task.serviceDir, task.entry, webpack)
  adjust(config)
  const compiler: Compiler = webpack(config)!
  let findings: Findings = {}
  compiler.hooks.thisCompilation.tap('peerhost', (compilation) => {
    compilation.hooks.seal.tap('peerhost', () => {
      findings = inspect(compilation, task.serviceDir)
    })
  })
  // the bundle is read from memory
  compiler.hooks.shouldEmit.tap('peerhost', () => false)

  const read = async (stats: Stats): Promise<CompileResult> => {
    const { compilation } = stats
    if (findings.native) return { ok: false, reason: 'native', detail: findings.native }
    const error = compilation.errors[0]
    if (error) return { ok: false, reason: 'failed', detail: describeBuildError(error, task.serviceDir) }
    const asset = compilation.getAsset(BUNDLE_FILE)
    if (!asset) return { ok: false, reason: 'failed', detail: 'webpack gave no bundle' }
    const sources: string[] = []
    for (const file of compilation.fileDependencies) {
      if (/\.[^\\/.]+$/.test(file) && !/[\\/]node_modules[\\/]/.test(file)) sources.push(file)
    }
    const bytes = await minified(asset.source.source().toString())
    return { ok: true, bytes, exports: findings.exports, sources }
  }
  return { compiler, read }
}

/** Bundles one source file with all it imports: webpack by the recipe, then swc's minifier. */
export async function compileEntry(task: CompileTask): Promise<CompileResult> {
  const { compiler, read } = await createEntryCompiler(task)
  try {
    const stats = await new Promise<Stats>((resolve, reject) => {
      compiler.run((error, result) =>
        error || !result ? reject(error ?? new Error('webpack gave no result')) : resolve(result),
      )
    })
    return await read(stats)
  } catch (error) {
    return { ok: false, reason: 'failed', detail: error instanceof Error ? error.message : String(error) }
  } finally {
    await new Promise<void>((resolve) => compiler.close(() => resolve()))
  }
}
