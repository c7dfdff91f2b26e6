import type { ManifestFunction } from '@peerhost/protocol'

/** A mapping of serverless.yml whose values nobody has checked yet. */
export type Loose = Record<string, unknown>

/** serverless.yml with its variables resolved. */
export interface ServiceInput {
  service: string
  /** `--stage`, else `provider.stage`, else dev. */
  stage: string
  provider: Loose
  functions: Record<string, Loose>
  /** The file's own top-level keys. */
  topLevel: Loose
}

/** A manifest entry without what only the bundle and the runtime can say. */
export type FunctionConfig = Omit<ManifestFunction, 'bundleCid' | 'codeDigest' | 'size' | 'runtimeId'>

/** Everything that deploy takes from serverless.yml. */
export interface ServiceConfig {
  project: string
  stage: string
  /** `provider.network`, if it is there. */
  network?: string
  functions: FunctionConfig[]
  /** One line for each kind of thing that is ignored or that the developer should know. */
  warnings: string[]
}

export const isLoose = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A list, or a single value, or a text with commas, as a list of texts. */
export function textList(value: unknown): string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value.map(String)
  return String(value)
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}
