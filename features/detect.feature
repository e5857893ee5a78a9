Feature: Detecting that the refresh token is dead
  A refresh token can expire, and it can be revoked: by the user, by a policy, with the client's credentials. All that
  an integration gets to see is a refused refresh, or a call of the API that comes back with 401 or 403.

  @DETECT-01 @must @error
  Rule: A refresh refused with invalid_grant is the end of the grant, whatever the cause

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject takes the refusal as the end of the grant (DETECT-01)

      Examples:
        | story                          | what happens                                                      |
        | policy_ends_the_grant          | A policy ends the grant                                           |
        | refresh_token_expires          | The refresh token expires                                         |
        | secret_rotation_ends_the_grant | The client's secret is rotated, and the grants of the old one end |
        | user_revokes_access            | The user revokes access                                           |

  @DETECT-02 @must @error
  Rule: invalid_token means the same, whatever the status

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject takes the refusal as the end of the grant (DETECT-02)

      Examples:
        | story                        | what happens                                            |
        | refused_as_invalid_token_400 | The refresh is refused as invalid_token with status 400 |
        | refused_as_invalid_token_401 | The refresh is refused as invalid_token with status 401 |

  @DETECT-03 @must @error
  Rule: Any other definitive refusal means the same, whatever its words and its status

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject takes the refusal as the end of the grant (DETECT-03)

      Examples:
        | story                               | what happens                                                            |
        | refused_as_invalid_refresh_token    | The refresh is refused as invalid_refresh_token                         |
        | refused_as_unauthorized_client      | The refresh is refused as unauthorized_client                           |
        | refused_with_status_200             | invalid_grant comes with status 200                                     |
        | refused_with_status_401             | invalid_grant comes with status 401                                     |
        | refused_with_status_403             | invalid_grant comes with status 403                                     |
        | refused_with_unfamiliar_description | The refresh is refused with a description that nobody knows             |
        | refused_with_unfamiliar_error_400   | The refresh is refused with an error that nobody knows, with status 400 |
        | refused_with_unfamiliar_error_403   | The refresh is refused with an error that nobody knows, with status 403 |
        | refused_without_description         | The refresh is refused without a description                            |

  @DETECT-04 @must @error
  Rule: An API 401 is answered with one refresh, even if the token still looks good

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes once, and the work is done with the new token (DETECT-04)

      Examples:
        | story                 | what happens                                           |
        | access_token_rejected | The API rejects an access token whose time is not over |

  @DETECT-05 @must @error
  Rule: What a good token is denied, another refresh does not mend

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject refreshes at most twice for what it is asked (DETECT-05)

      Examples:
        | story                   | what happens                                       |
        | api_keeps_answering_401 | The API goes on answering 401 after a good refresh |
        | api_keeps_answering_403 | The API goes on answering 403 after a good refresh |

  @DETECT-06 @should @warning
  Rule: A 403 is no reason to throw anything away, and no secret

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject keeps tokens and settings, and the fault can be seen (DETECT-06)

      Examples:
        | story                   | what happens                                       |
        | api_keeps_answering_403 | The API goes on answering 403 after a good refresh |

  @DETECT-07 @must @error
  Rule: An API 401 or 403 whose refresh is refused ends the connection

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject ends the connection (DETECT-07)

      Examples:
        | story                       | what happens                                    |
        | api_401_and_refresh_refused | The API answers 401, and the refresh is refused |

  @DETECT-08 @must @error
  Rule: What is no token is never stored as one

    Scenario Outline: <what happens>
      When the story "<story>" is told
      Then the subject stores nothing of it, and goes on with good tokens (DETECT-08)

      Examples:
        | story                       | what happens                            |
        | html_in_place_of_tokens     | A page of HTML comes in place of tokens |
        | refused_with_status_200     | invalid_grant comes with status 200     |
        | token_answer_without_tokens | A token answer holds no tokens          |
