// What the compiler does not see: rules of hooks, promises that nobody waits for, and every way to write HTML.
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

const html = "Text from senders is text: render it as a child, never as HTML.";

export default ts.config(
  { ignores: ["dist", "src/api/gql"] },
  {
    files: ["src/**/*.{ts,tsx}"],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-unnecessary-type-assertion": "off",
      "@typescript-eslint/only-throw-error": [
        "error",
        // How the router is told to go elsewhere.
        { allow: [{ from: "package", package: "@tanstack/router-core", name: "Redirect" }] },
      ],
      "no-restricted-properties": [
        "error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc"].map((property) => ({ property, message: html })),
        { object: "document", property: "write", message: html },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: html },
        { selector: "JSXAttribute[name.name='srcDoc']", message: html },
        { selector: "Property[key.name='dangerouslySetInnerHTML']", message: html },
      ],
      "no-eval": "error",
    },
  },
);
