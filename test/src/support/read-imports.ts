import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** One import of a source file. */
export interface Import {
  /** The importing file, relative to the repository. */
  file: string
  /** What is imported, as written. */
  specifier: string
  /** `type` is erased, `lazy` is an `import()` or a `require`, `static` is loaded with the file. */
  kind: 'static' | 'type' | 'lazy'
}

const STATIC = /^[ \t]*(?:import|export)\s+(type\s+)?(?:[^'"`;]*?\sfrom\s+)?['"]([^'"\n]+)['"]/gm
const LAZY = /\b(?:import|require|require\.resolve|import\.meta\.resolve)\(\s*['"]([^'"\n]+)['"]/g
const SOURCE = /\.(?:ts|mts|cts|js|mjs|cjs)$/
const SKIPPED = new Set([
  'node_modules',
  'dist',
  'fixtures',
  '.peerhost',
  '.serverless',
  'cache',
  'serverless-versions',
])

/** The source files under a folder of the repository, relative to it; built files and fixtures are left out. */
export function sourceFiles(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sourceFiles(root, path)
    return SOURCE.test(entry.name) ? [path] : []
  })
}

/** The imports of one file's text. Comments are not told from code: a docstring's example starts with `*`. */
export function importsOf(file: string, text: string): Import[] {
  const imports: Import[] = []
  for (const [, type, specifier] of text.matchAll(STATIC)) {
    imports.push({ file, specifier: specifier!, kind: type === undefined ? 'static' : 'type' })
  }
  for (const [, specifier] of text.matchAll(LAZY)) imports.push({ file, specifier: specifier!, kind: 'lazy' })
  return imports
}

/** The imports of all source files under a folder of the repository. */
export function readImports(root: string, folder: string): Import[] {
  return sourceFiles(root, folder).flatMap((file) => importsOf(file, readFileSync(join(root, file), 'utf8')))
}
