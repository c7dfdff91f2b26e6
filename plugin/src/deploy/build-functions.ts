import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { ManifestFunction } from '@peerhost/protocol'
import type { ImportedFile } from '@peerhost/storage'
import type { Bundle } from '../bundle/bundle-functions.ts'
import type { FunctionConfig } from '../config/types.ts'
import { runtimeId } from './runtime-id.ts'

/** A function ready to be registered: its manifest entry and the blocks of its bundle. */
export interface BuiltFunction {
  entry: ManifestFunction
  bytes: Uint8Array
  file: ImportedFile
  /** Absolute paths of the service's own files in the bundle. */
  sources: string[]
}

/** Joins what serverless.yml says and what was bundled. */
export async function joinBundle(
  config: FunctionConfig,
  { bytes, codeDigest, sources }: Bundle,
): Promise<BuiltFunction> {
  const { importBytes } = await import('@peerhost/storage')
  const file = await importBytes(bytes)
  const entry: ManifestFunction = {
    ...config,
    bundleCid: file.cid,
    codeDigest,
    size: bytes.length,
    runtimeId: runtimeId(),
  }
  return { entry, bytes, file, sources }
}

/** Bundles functions; `artifacts` maps a function to the folder that its packaged code was unpacked to. */
export async function buildFunctions(
  serviceDir: string,
  configs: FunctionConfig[],
  artifacts: Map<string, string> = new Map(),
): Promise<BuiltFunction[]> {
  const { bundleFunctions } = await import('../bundle/bundle-functions.ts')
  const sources = configs.map(({ name, handler }) => ({ name, handler, dir: artifacts.get(name) }))
  const bundles = await bundleFunctions(serviceDir, sources)
  return Promise.all(configs.map((config, i) => joinBundle(config, bundles[i]!)))
}

/** What built the bundles, for the manifest. */
export function buildTools(): Record<string, string> {
  const require = createRequire(import.meta.url)
  const version = (file: string): string => JSON.parse(readFileSync(file, 'utf8')).version
  return {
    node: process.versions.node,
    'serverless-peerhost': version(require.resolve('../../package.json')),
    webpack: version(require.resolve('webpack/package.json')),
    '@swc/core': version(require.resolve('@swc/core/package.json')),
  }
}
