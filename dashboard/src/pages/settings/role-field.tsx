// What somebody, or a program, may do.

import type { Role } from "@/api/gql/graphql";
import { Field, Select } from "@/parts/field";

export const ROLE_TEXT: Record<Role, string> = { VIEWER: "Viewer", MANAGER: "Manager", ADMIN: "Admin" };

const WHAT: Record<Role, string> = {
  VIEWER: "Reads everything but secrets, personal data, operators, keys and the audit trail.",
  MANAGER: "Reads personal data too, edits offers and partners, reveals URLs, rejects, reinstates and tests.",
  ADMIN: "Manages tokens, domains, operators, keys and settings too.",
};

export function RoleField({ value, problem, onChange }: { value: Role; problem: string | undefined; onChange: (role: Role) => void }) {
  return (
    <Field label="Role" hint={WHAT[value]} problem={problem}>
      {(control) => (
        <Select {...control} value={value} onChange={(event) => onChange(event.target.value as Role)}>
          {(["VIEWER", "MANAGER", "ADMIN"] as const).map((role) => (
            <option key={role} value={role}>
              {ROLE_TEXT[role]}
            </option>
          ))}
        </Select>
      )}
    </Field>
  );
}
