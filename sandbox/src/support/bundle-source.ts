import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ManifestFunction } from '@peerhost/protocol'
import { runtimeId } from '../runtime-id.ts'
import type { SandboxFunction } from '../types.ts'

interface Compiler {
  run(done: (error: Error | null, stats?: { hasErrors(): boolean; toString(): string }) => void): void
  close(done: () => void): void
}

/** Bundles a module's source with webpack, as `serverless deploy` does. For tests. */
export async function bundleSource(source: string): Promise<Buffer> {
  const webpack = createRequire(import.meta.url)('webpack') as (options: object) => Compiler
  const folder = await mkdtemp(join(tmpdir(), 'peerhost-bundle-'))
  try {
    await writeFile(join(folder, 'handler.js'), source)
    const compiler = webpack({
      mode: 'production',
      target: 'node24',
      context: folder,
      entry: './handler.js',
      output: { path: folder, filename: 'out.js', library: { type: 'commonjs2' } },
      resolve: { modules: [fileURLToPath(new URL('../../../node_modules', import.meta.url))] },
      optimization: { minimize: false },
    })
    await new Promise<void>((resolve, reject) => {
      compiler.run((error, stats) => {
        compiler.close(() => {
          if (error || stats?.hasErrors()) reject(error ?? new Error(stats!.toString()))
          else resolve()
        })
      })
    })
    return await readFile(join(folder, 'out.js'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The function that a deploy of this bundle would make. For tests. */
export function functionOf(bundle: Uint8Array, changes: Partial<ManifestFunction> = {}): SandboxFunction {
  return {
    owner: '0x1111111111111111111111111111111111111111',
    project: 'shop',
    version: 1,
    bundle: async () => bundle,
    definition: {
      name: 'f',
      handler: 'src/f.handler',
      bundleCid: '',
      codeDigest: `0x${createHash('sha256').update(bundle).digest('hex')}`,
      size: bundle.length,
      routes: [],
      price: '0',
      timeout: 6,
      memorySize: 128,
      egress: [],
      verification: 'deterministic',
      publicHeaders: [],
      environment: {},
      runtimeId: runtimeId(),
      ...changes,
    },
  }
}
