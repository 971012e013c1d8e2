import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

/** The repository's root. */
export const root = join(import.meta.dirname, '../../..');

/** One import of a file: a bare package name, or the path from the root of the file it names. */
export interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly file: string | undefined;
}

/** One exported declaration and the comment above it. */
export interface Export {
  readonly file: string;
  readonly name: string;
  readonly comment: string;
}

/** Every file below these folders with this ending, as paths from the root. */
export function files(folders: readonly string[], ending = '.ts'): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .sort(),
  );
}

/** The text of a file, by its path from the root. */
export const text = (file: string): string => readFileSync(join(root, file), 'utf8');

const parse = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, text(file), ts.ScriptTarget.ES2023, true);

/** Every import of a file: static, re-exporting, dynamic, and of types alone. */
export function importsOf(file: string): Import[] {
  const source = parse(file);
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    const named =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : undefined;
    const called =
      ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? node.arguments[0]
        : undefined;
    const typed =
      ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
        ? node.argument.literal
        : undefined;
    const specifier = named ?? called ?? typed;
    if (specifier && ts.isStringLiteral(specifier)) {
      const local = specifier.text.startsWith('.');
      found.push({
        from: file,
        specifier: specifier.text,
        file: local ? relative(root, join(root, dirname(file), specifier.text)) : undefined,
      });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Every declaration a file exports, with the comment that stands above it. */
export function exportsOf(file: string): Export[] {
  const source = parse(file);
  return source.statements.flatMap((statement) => {
    const exported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (!exported) return [];
    const ranges = ts.getLeadingCommentRanges(source.text, statement.getFullStart()) ?? [];
    const comment = ranges.map(({ pos, end }) => source.text.slice(pos, end)).join('\n');
    const names = ts.isVariableStatement(statement)
      ? statement.declarationList.declarations.map((declaration) => declaration.name.getText())
      : [(statement as ts.DeclarationStatement).name?.getText() ?? 'default'];
    return names.map((name) => ({ file, name, comment }));
  });
}

/** The names a file passes on from another file (`export ... from`). */
export function passesOn(file: string): boolean {
  return parse(file).statements.some(
    (statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined,
  );
}
