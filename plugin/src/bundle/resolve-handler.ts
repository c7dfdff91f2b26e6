import { existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { PeerHostError } from '@peerhost/protocol'

/** Source files win over what a compiler may have left beside them. */
const ENDINGS = ['.ts', '.tsx', '.mts', '.cts', '.js', '.mjs', '.cjs', '.jsx']

export interface ResolvedHandler {
  /** Absolute path of the source file. */
  file: string
  /** Names that lead from the module to the function: `a.b` is `['a', 'b']`. */
  exportPath: string[]
}

const isFile = (file: string) => existsSync(file) && statSync(file).isFile()

function findFile(base: string): string | undefined {
  for (const ending of ENDINGS) if (isFile(base + ending)) return base + ending
  for (const ending of ENDINGS) {
    const index = path.join(base, `index${ending}`)
    if (isFile(index)) return index
  }
  return isFile(base) ? base : undefined
}

/**
 * Finds the source of a handler as the Lambda loader does: everything up to the first dot of the last path segment names the
 * module, the rest the (nested) export; `..` is forbidden. A module that is no file of the service may be one of a package.
 *
 * @throws PH_CONFIG_HANDLER_NOT_FOUND
 */
export function resolveHandler(serviceDir: string, functionName: string, handler: string): ResolvedHandler {
  const notFound = () => new PeerHostError('PH_CONFIG_HANDLER_NOT_FOUND', { function: functionName, handler })
  const slash = handler.lastIndexOf('/') + 1
  const split = /^([^.]+)\.([^.].*)$/.exec(handler.slice(slash))
  if (!split || handler.includes('..') || path.isAbsolute(handler)) throw notFound()
  const moduleName = handler.slice(0, slash) + split[1]
  const exportPath = split[2]!.split('.')
  if (exportPath.includes('')) throw notFound()

  const file = findFile(path.join(serviceDir, moduleName))
  if (file) return { file, exportPath }
  if (!moduleName.startsWith('.')) {
    try {
      const found = createRequire(path.join(serviceDir, 'package.json')).resolve(moduleName)
      if (path.isAbsolute(found)) return { file: found, exportPath }
    } catch {
      // not a package either
    }
  }
  throw notFound()
}
