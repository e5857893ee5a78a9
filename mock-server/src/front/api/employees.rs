//! `/v2/employees` and `/v1/companies`. A token sees its own company only.

use serde_json::{Value, json};

use super::{
    Caller, not_found,
    page::{Listed, page},
    store::{Company, Employee, Store},
};
use crate::front::{reply::Reply, request::Request};

/// `GET /v2/employees`.
pub(super) fn list(store: &Store, request: &Request, caller: &Caller) -> Reply {
    let query = &request.parameters;
    let wanted = |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted.eq_ignore_ascii_case(value));
    let fits = |employee: &Employee| {
        employee.company == caller.grant.company
            && wanted("companyId", &employee.company)
            && wanted("email", &employee.email)
            && wanted("code", &employee.code)
    };
    let places = (0..).zip(&store.employees).filter(|(_, employee)| fits(employee));
    page(request, places.map(|(place, employee)| Listed { place, value: show(employee) }).collect())
}

/// `GET /v2/employees/{employeeId}`.
pub(super) fn one(store: &Store, id: &str, caller: &Caller) -> Reply {
    match store.employees.iter().find(|employee| employee.id == id && employee.company == caller.grant.company) {
        Some(employee) => Reply::json(200, &json!({"data": show(employee)})),
        None => not_found("EMPLOYEE_NOT_FOUND", "Employee not found"),
    }
}

/// `GET /v1/companies`.
pub(super) fn companies(store: &Store, request: &Request, caller: &Caller) -> Reply {
    let own = (0..).zip(&store.companies).filter(|(_, company)| company.id == caller.grant.company);
    page(request, own.map(|(place, company)| Listed { place, value: show_company(company) }).collect())
}

/// `GET /v1/companies/{companyId}`.
pub(super) fn company(store: &Store, id: &str, caller: &Caller) -> Reply {
    match store.companies.iter().find(|company| company.id == id && company.id == caller.grant.company) {
        Some(company) => Reply::json(200, &json!({"data": show_company(company)})),
        None => not_found("COMPANY_NOT_FOUND", "Company not found"),
    }
}

fn show(employee: &Employee) -> Value {
    json!({
        "id": employee.id,
        "companyId": employee.company,
        "firstName": employee.first,
        "lastName": employee.last,
        "email": employee.email,
        "code": employee.code,
    })
}

fn show_company(company: &Company) -> Value {
    json!({"id": company.id, "name": company.name})
}
